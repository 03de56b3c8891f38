"""Extended-precision arithmetic: the carry flag (PTX ISA 9.0, section 9.7.2)."""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Modifiers, Slots, step
from sandbox.simulator.instructions.integer import multiply_high
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.ptx.syntax import Instruction, Register


def _flag(machine: Machine, use: bool, absent: bool) -> Array:
    return machine.carry if use else np.full((1, 1, 1), absent)


def _carry(i: Instruction, m: Modifiers, slots: Slots, subtract: bool, use: bool) -> Step:
    """Subtraction adds the complement, so its flag is 1 where nothing was borrowed.

    PTX calls the flag after `sub.cc` a borrow, but the compiler's own 128-bit division reads it with `addc` and
    wants the complement's carry.
    """
    target, *sources = i.operands
    assert isinstance(target, Register)
    destination = slots.target(target)
    a, b = (slots.source(source, m.type) for source in sources)
    dtype = np.dtype(f"uint{m.type.bits}")
    keep = "cc" in m

    def run(machine: Machine) -> None:
        x, y = machine.registers[a].view(dtype), machine.registers[b].view(dtype)
        y = ~y if subtract else y
        carry = _flag(machine, use, absent=subtract)
        result = x + y + carry.astype(dtype)
        if keep:
            machine.carry = (result < x) | ((result == x) & carry)
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
    """Subtract, keeping the flag: 1 where nothing was borrowed."""
    return _carry(i, m, slots, subtract=True, use=False)


@step("subc", "9.7.2.4")
def subc(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Subtract with the flag in."""
    return _carry(i, m, slots, subtract=True, use=True)


def _mad_carry(i: Instruction, m: Modifiers, slots: Slots, use: bool) -> Step:
    target, *sources = i.operands
    assert isinstance(target, Register)
    destination, kind = slots.target(target), m.type
    a, b, c = (slots.source(source, kind) for source in sources)
    high, keep, dtype = "hi" in m, "cc" in m, np.dtype(f"uint{kind.bits}")

    def run(machine: Machine) -> None:
        x, y = machine.registers[a].view(kind.dtype), machine.registers[b].view(kind.dtype)
        half = (multiply_high(x, y, kind) if high else x * y).view(dtype)
        carry = _flag(machine, use, absent=False)
        total = half + machine.registers[c].view(dtype) + carry.astype(dtype)
        if keep:
            machine.carry = (total < half) | ((total == half) & carry)
        machine.write(destination, total)

    return run


@step("mad.cc", "9.7.2.5")
def mad_cc(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Multiply-add, keeping the carry."""
    return _mad_carry(i, m, slots, use=False)


@step("madc", "9.7.2.6")
def madc(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Multiply-add with carry in."""
    return _mad_carry(i, m, slots, use=True)
