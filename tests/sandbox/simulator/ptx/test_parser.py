"""What is remembered of statements says nothing of registers that a scope of their own renames."""

from __future__ import annotations

from sandbox.simulator.ptx.parser import parse
from sandbox.simulator.ptx.syntax import Instruction, Register

PLAIN = ".entry k() { .reg .b32 %r<3>; .reg .pred %p; @%p add.s32 %r1, %r1, 1; ret; }"
RENAMED = """
.entry k() {
    .reg .b32 %r<3>;
    .reg .pred %p;
    { .reg .b32 %r1; @%p add.s32 %r1, %r1, 1; }
    @%p add.s32 %r1, %r1, 1;
    ret;
}
"""


def additions(text: str) -> list[Instruction]:
    body = parse(f".version 9.0\n.target sm_90\n.address_size 64\n{text}").functions["k"].body
    return [instruction for instruction in body if instruction.opcode == "add"]


def test_a_register_of_an_inner_scope_is_another_one_though_its_statement_reads_the_same() -> None:
    (plain,) = additions(PLAIN)
    inner, outer = additions(RENAMED)
    assert plain.operands[0] == outer.operands[0] == Register("%r1")
    assert inner.operands[0] != outer.operands[0]
    assert plain.text == inner.text == outer.text
    assert plain.guard == inner.guard == outer.guard


def test_statements_that_read_the_same_are_instructions_of_their_own() -> None:
    first, second = additions(PLAIN.replace("ret;", "@%p add.s32 %r1, %r1, 1; ret;"))
    assert first == second
    assert first is not second
