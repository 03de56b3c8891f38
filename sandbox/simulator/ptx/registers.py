"""Which registers an operand names, and an instruction reads and writes."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.simulator.ptx.syntax import (
    AddressOperand,
    Guard,
    Negated,
    Operand,
    Pair,
    Register,
    Vector,
)

_NO_TARGET = frozenset(
    {"st", "red", "nanosleep", "bra", "brx", "ret", "exit", "bar", "barrier", "membar", "fence", "call"}
)


def register_names(operand: Operand | None) -> Iterator[str]:
    """Names of the registers of an operand, those of its address and of its elements included."""
    if isinstance(operand, Register):
        yield operand.name
    elif isinstance(operand, Negated):
        yield operand.register.name
    elif isinstance(operand, AddressOperand):
        yield from register_names(operand.base)
    elif isinstance(operand, Vector):
        for element in operand.elements:
            yield from register_names(element)
    elif isinstance(operand, Pair):
        yield from register_names(operand.first)
        yield from register_names(operand.second)


def registers_written(opcode: str, operands: tuple[Operand, ...]) -> tuple[str, ...]:
    """Names of the registers that an instruction writes; none of a call."""
    if opcode in _NO_TARGET or not operands or isinstance(operands[0], AddressOperand):
        return ()
    return tuple(register_names(operands[0]))


def registers_read(opcode: str, operands: tuple[Operand, ...], guard: Guard | None) -> tuple[str, ...]:
    """Names of the registers that an instruction reads, its guard last."""
    skip = 1 if registers_written(opcode, operands) else 0
    names = tuple(name for operand in operands[skip:] for name in register_names(operand))
    return names if guard is None else (*names, guard.register.name)
