"""Extended-precision arithmetic: the carry flag (PTX ISA 9.0, section 9.7.2)."""

from __future__ import annotations

import numpy as np

from sandbox.simulator.instructions.catalogue import Modifiers, Slots, refuse, step
from sandbox.simulator.machine import Machine, Step
from sandbox.simulator.ptx.syntax import Instruction, Register
from sandbox.simulator.ptx.types import S32, TYPES, U32, U64


def _carry(i: Instruction, m: Modifiers, slots: Slots, subtract: bool, use: bool) -> Step:
    target, *sources = i.operands
    assert isinstance(target, Register)
    destination = slots.target(target)
    a, b = (slots.source(source, m.type) for source in sources)
    dtype = np.dtype(f"uint{m.type.bits}")
    keep = "cc" in m

    def run(machine: Machine) -> None:
        x, y = machine.registers[a].view(dtype), machine.registers[b].view(dtype)
        carry = (
            machine.extra.get("carry", np.zeros((1, 1, 1), dtype=np.bool_))
            if use
            else np.zeros((1, 1, 1), np.bool_)
        )
        amount = carry.astype(dtype)
        if subtract:
            result = x - y - amount
            out = (x < y) | ((x == y) & carry)
        else:
            result = x + y + amount
            out = (result < x) | ((result == x) & carry)
        if keep:
            machine.extra["carry"] = out
        machine.write(destination, result)

    return run


@step("add.cc", "9.7.2.1")
def add_cc(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Add, keeping the carry."""
    return _carry(i, m, slots, subtract=False, use=False)


@step("addc", "9.7.2.2")
def addc(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Add with carry in."""
    return _carry(i, m, slots, subtract=False, use=True)


@step("sub.cc", "9.7.2.3")
def sub_cc(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Subtract, keeping the borrow."""
    return _carry(i, m, slots, subtract=True, use=False)


@step("subc", "9.7.2.4")
def subc(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Subtract with borrow in."""
    return _carry(i, m, slots, subtract=True, use=True)


def _mad_carry(i: Instruction, m: Modifiers, slots: Slots, use: bool) -> Step:
    target, *sources = i.operands
    assert isinstance(target, Register)
    destination = slots.target(target)
    a, b, c = (slots.source(source, TYPES["u32"]) for source in sources)
    if m.type.bits != 32:
        raise refuse(f"mad with carry of {m.type.name}")
    high, signed, keep = "hi" in m, m.type.is_signed, "cc" in m

    def run(machine: Machine) -> None:
        x, y, z = (machine.registers[s].view(S32 if signed and s != c else U32) for s in (a, b, c))
        product = x.astype(np.int64) * y.astype(np.int64) if signed else x.astype(U64) * y.astype(U64)
        half = (product.view(U64) >> np.uint64(32) if high else product.view(U64)).astype(U32)
        carry = (
            machine.extra.get("carry", np.zeros((1, 1, 1), np.bool_))
            if use
            else np.zeros((1, 1, 1), np.bool_)
        )
        total = half.astype(U64) + z + carry.astype(U64)
        if keep:
            machine.extra["carry"] = total >> np.uint64(32) != 0
        machine.write(destination, total.astype(U32))

    return run


@step("mad.cc", "9.7.2.5")
def mad_cc(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Multiply-add, keeping the carry."""
    return _mad_carry(i, m, slots, use=False)


@step("madc", "9.7.2.6")
def madc(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Multiply-add with carry in."""
    return _mad_carry(i, m, slots, use=True)
