"""What only says what a kernel computes, and not what it does: counting can leave it out.

What a kernel does are its paths and its accesses. Registers are followed backwards from branches, guards and
addresses, without regard to paths. Where one of these comes of memory, everything that is stored is needed too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from sandbox.simulator.decode.code import ENDS, BasicBlock, Code
from sandbox.simulator.decode.governing import behind
from sandbox.simulator.instructions.catalogue import FORMULAS
from sandbox.simulator.instructions.loads import Load
from sandbox.simulator.machine.state import Step
from sandbox.simulator.ptx.registers import register_names
from sandbox.simulator.ptx.syntax import AddressOperand, Function, Instruction

_LOADS = frozenset({"ld", "ldu", "atom", "ldmatrix"})
_READS = frozenset({"ld", "ldu"})
_STORES = frozenset({"st", "red", "atom", "stmatrix"})
_CARRY = frozenset({"mov", "cvta", "setp", "mma", "movmatrix"})
"""Executed always; what they read matters as far as what they write does."""
_AFTER_DATA = 2
"""Operands of a shuffle that say between which lanes it goes."""


def idle(functions: Collection[Function]) -> frozenset[int]:
    """Return the identities of the arithmetic and the loads of a module whose results no path and no access needs."""
    bodies = [function.body for function in functions]
    needed = [behind(body, _roots(body, stored=False)) for body in bodies]
    if any(_goes_by_memory(*of) for of in zip(bodies, needed, strict=True)):
        needed = [behind(body, _roots(body, stored=True)) for body in bodies]
    return frozenset(
        id(instruction)
        for body, wanted in zip(bodies, needed, strict=True)
        for instruction in body
        if (_is_arithmetic(instruction) or instruction.opcode in _READS)
        and wanted.isdisjoint(instruction.written)
    )


def without(code: Code, left_out: Collection[int]) -> Code:
    """Return a kernel that leaves out these instructions, of loads what they read, but counts as if it did not."""
    return replace(code, blocks=tuple(_block_without(block, left_out) for block in code.blocks))


def _block_without(block: BasicBlock, left_out: Collection[int]) -> BasicBlock:
    executed = [one for one in block.instructions if one.opcode not in ENDS]
    executed = executed[len(executed) - len(block.steps) :]
    left = (
        _without_result(one, step) if id(one) in left_out else step
        for one, step in zip(executed, block.steps, strict=True)
    )
    return replace(block, steps=tuple(step for step in left if step is not None))


def _without_result(instruction: Instruction, step: Step) -> Step | None:
    """What an instruction does beside what it computes; a load that is guarded, or of a parameter, stays as it is."""
    if instruction.opcode in _READS:
        return step.unread if isinstance(step, Load) else step
    return None


def _is_arithmetic(instruction: Instruction) -> bool:
    """Whether an instruction only computes registers from registers that it names; carries are not named."""
    return instruction.opcode in FORMULAS and "cc" not in instruction.modifiers


def _goes_by_memory(body: Sequence[Instruction], needed: set[str]) -> bool:
    """Whether a path or an access depends on what is loaded, parameters and constants apart."""
    return any(
        one.opcode in _LOADS and not needed.isdisjoint(one.written)
        for one in body
        if not {"param", "const"} & set(one.modifiers)
    )


def _roots(body: Sequence[Instruction], *, stored: bool) -> set[str]:
    """Registers that paths and accesses name themselves; with `stored`, what is stored as well."""
    return {name for instruction in body for name in _governing(instruction, stored=stored)}


def _governing(instruction: Instruction, *, stored: bool) -> Collection[str]:
    if _is_arithmetic(instruction):
        return ()
    guard = () if instruction.guard is None else (instruction.guard.register.name,)
    if instruction.opcode in _CARRY:
        return guard
    if instruction.opcode == "shfl":
        operands = instruction.operands[_AFTER_DATA:]
    elif instruction.opcode in _STORES and not stored and "param" not in instruction.modifiers:
        operands = tuple(one for one in instruction.operands if isinstance(one, AddressOperand))
    else:
        return instruction.read
    return (*guard, *(name for one in operands for name in register_names(one)))
