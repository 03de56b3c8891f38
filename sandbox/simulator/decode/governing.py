"""Which values say what a kernel does: those that branches and addresses depend on.

Followed backwards, from what is decided to what was loaded, without regard to paths. Through shared and local
memory everything may come of everything that was stored there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sandbox.simulator.ptx.registers import register_names
from sandbox.simulator.ptx.syntax import AddressOperand, Function, Instruction

_MEMORY = frozenset({"ld", "ldu", "st", "atom", "red", "cp"})
_ENDS = frozenset({"bra", "brx", "exit", "ret", "bar", "barrier", "trap"})
_PRIVATE = ("shared", "local")


@dataclass(frozen=True)
class Governing:
    """What a kernel goes by; identities of instructions.

    Attributes:
        loads: Loads whose value a branch, an address or the guard of a memory access depends on.
        decides: Whether a branch or such a guard depends on what an atomic operation on global memory returns.
    """

    loads: frozenset[int] = frozenset()
    decides: bool = False


def governing(functions: Iterable[Function]) -> Governing:
    """Find what a kernel, with the functions that it may call, goes by."""
    loads: set[int] = set()
    decides = False
    for function in functions:
        body = function.body
        control = _behind(body, _controls(body))
        either = _behind(body, control | _addresses(body))
        copies = {id(one) for one in body if one.opcode == "cp"}
        for instruction in body:
            written = set(instruction.written)
            if instruction.opcode in {"ld", "ldu"} and "param" not in instruction.modifiers:
                if written & either:
                    loads.add(id(instruction))
                    loads |= copies if "shared" in _spaces(instruction) else set()
            elif instruction.opcode == "atom" and "global" in _spaces(instruction):
                decides = decides or bool(written & control)
    return Governing(frozenset(loads), decides)


def _controls(body: Sequence[Instruction]) -> set[str]:
    """Registers that branches and guards name; what is handed to another function decides there."""
    found: set[str] = set()
    for instruction in body:
        if instruction.guard is not None and instruction.opcode in _MEMORY | _ENDS:
            found.add(instruction.guard.register.name)
        if instruction.opcode in {"brx", "call"} or (
            instruction.opcode == "st" and "param" in instruction.modifiers
        ):
            found.update(instruction.read)
    return found


def _addresses(body: Sequence[Instruction]) -> set[str]:
    """Registers that hold addresses of memory that blocks share."""
    return {
        name
        for instruction in body
        if "global" in _spaces(instruction)
        for operand in instruction.operands
        if isinstance(operand, AddressOperand)
        for name in register_names(operand)
    }


def behind(
    body: Sequence[Instruction],
    wanted: Iterable[str],
    come_of: Callable[[Instruction], Iterable[Instruction]] = lambda instruction: (instruction,),
) -> set[str]:
    """Return the registers that these depend on, themselves included; a guarded write keeps what was there.

    Args:
        body: Of one function.
        wanted: Names of registers.
        come_of: Which instructions' sources make what an instruction writes; by default its own.
    """
    definitions: dict[str, list[Instruction]] = {}
    for instruction in body:
        for name in instruction.written:
            definitions.setdefault(name, []).append(instruction)
    found = set(wanted)
    queue = list(found)
    while queue:
        for instruction in definitions.get(queue.pop(), ()):
            new = {name for one in come_of(instruction) for name in one.read} - found
            found |= new
            queue += new
    return found


def _behind(body: Sequence[Instruction], wanted: set[str]) -> set[str]:
    """The same, where what is loaded comes of all that is stored in its space."""
    kept = {
        space: [i for i in body if i.opcode in {"st", "atom", "red"} and space in _spaces(i)]
        for space in _PRIVATE
    }

    def come_of(instruction: Instruction) -> Sequence[Instruction]:
        if instruction.opcode not in {"ld", "ldu", "atom"}:
            return (instruction,)
        return [one for space in _spaces(instruction) & kept.keys() for one in kept.pop(space)]

    return behind(body, wanted, come_of)


def _spaces(instruction: Instruction) -> set[str]:
    """Where an access may go; a generic address may be in any of them."""
    parts = {part.split("::")[0] for part in instruction.modifiers}
    return parts & {*_PRIVATE, "global", "const", "param"} or {*_PRIVATE, "global"}
