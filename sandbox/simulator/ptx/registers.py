"""Which registers an operand names."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.simulator.ptx.syntax import AddressOperand, Negated, Operand, Pair, Register, Vector


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
