"""Which registers an instruction reads and writes, as far as counting and estimating need it."""

from __future__ import annotations

from sandbox.simulator.ptx.syntax import AddressOperand, Instruction, Negated, Operand, Pair, Register, Vector

_NO_TARGET = frozenset(
    {"st", "red", "nanosleep", "bra", "brx", "ret", "exit", "bar", "barrier", "membar", "fence", "trap"}
)


def reads_and_writes(instruction: Instruction) -> tuple[list[str], list[str]]:
    """Names of the registers it reads, its guard among them, and of those it writes."""
    operands = instruction.operands
    guard = [instruction.guard.register.name] if instruction.guard else []
    if instruction.opcode in _NO_TARGET or not operands or isinstance(operands[0], AddressOperand):
        return [*guard, *(name for operand in operands for name in _names(operand))], []
    return [*guard, *(name for operand in operands[1:] for name in _names(operand))], _names(operands[0])


def _names(operand: Operand | None) -> list[str]:
    if isinstance(operand, Register):
        return [operand.name]
    if isinstance(operand, Negated):
        return [operand.register.name]
    if isinstance(operand, AddressOperand):
        return _names(operand.base)
    if isinstance(operand, Vector):
        return [name for element in operand.elements for name in _names(element)]
    if isinstance(operand, Pair):
        return [*_names(operand.first), *_names(operand.second)]
    return []
