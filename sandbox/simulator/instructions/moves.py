"""Data movement between registers (PTX ISA 9.0, section 9.7.9) and small machine instructions."""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Formula, Modifiers, Slots, formula, refuse, step
from sandbox.simulator.machine import Machine, Step
from sandbox.simulator.memory import GLOBAL_BASE, LOCAL_BASE, SHARED_BASE, WINDOW
from sandbox.simulator.ptx.syntax import Instruction, Register, Vector
from sandbox.simulator.ptx.types import S32, TYPES, U32, U64, PtxType

_CLOCKS = frozenset({"%clock", "%clock_hi", "%clock64", "%globaltimer", "%globaltimer_lo", "%globaltimer_hi"})
_TICKS = 64
_BASES = {"shared": SHARED_BASE, "local": LOCAL_BASE}


@step("mov", "9.7.9.3")
def mov(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Copy a register, a constant, an address or a special register; pack or unpack a vector."""
    target, source = i.operands
    if isinstance(target, Vector):
        return _unpack(target, slots.source(source, m.type), m.type, slots)
    if isinstance(source, Vector):
        assert isinstance(target, Register)
        return _packer(slots.target(target), source, m.type, slots)
    assert isinstance(target, Register)
    if isinstance(source, Register) and source.name in _CLOCKS:
        return _clock(slots.target(target), m.type)
    destination, origin = slots.target(target), slots.source(source, m.type)

    def run(machine: Machine) -> None:
        machine.write(destination, machine.registers[origin])

    return run


def _clock(destination: int, kind: PtxType) -> Step:
    """Time here is the number of reads so far, times an arbitrary step: it grows, and measures nothing."""

    def run(machine: Machine) -> None:
        ticks = machine.extra["ticks"] = int(machine.extra.get("ticks", 0)) + _TICKS
        machine.write(destination, np.full((1, 1, 1), ticks & (1 << kind.bits) - 1, dtype=kind.dtype))

    return run


def _part(kind: PtxType, count: int) -> PtxType:
    return TYPES[f"u{kind.bits // count}"]


def _packer(destination: int, source: Vector, kind: PtxType, slots: Slots) -> Step:
    part = _part(kind, len(source.elements))
    origins = [slots.source(element, part) for element in source.elements if element is not None]
    whole = np.dtype(f"uint{kind.bits}")

    def run(machine: Machine) -> None:
        value: Array | None = None
        for position, origin in enumerate(origins):
            element = machine.registers[origin].view(part.dtype).astype(whole) << whole.type(
                position * part.bits
            )
            value = element if value is None else value | element
        assert value is not None
        machine.write(destination, value)

    return run


def _unpack(target: Vector, origin: int, kind: PtxType, slots: Slots) -> Step:
    part = _part(kind, len(target.elements))
    whole = np.dtype(f"uint{kind.bits}")
    destinations = [slots.target(e) if isinstance(e, Register) else None for e in target.elements]

    def run(machine: Machine) -> None:
        value = machine.registers[origin].view(whole)
        for position, destination in enumerate(destinations):
            if destination is not None:
                machine.write(destination, (value >> whole.type(position * part.bits)).astype(part.dtype))

    return run


@step("cvta", "9.7.9.20")
def cvta(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Between an address in a state space and a generic address."""
    target, source = i.operands
    assert isinstance(target, Register)
    destination, origin = slots.target(target), slots.source(source, m.type)
    space = next(
        (part for part in m.parts if part in {"global", "shared", "local", "const", "param"}), "global"
    )
    base = _BASES.get(space, 0)
    delta = np.uint64(base if "to" not in m else (1 << 64) - base if base else 0)

    def run(machine: Machine) -> None:
        value = machine.registers[origin]
        machine.write(destination, value.astype(U64) + delta if delta else value)

    return run


@step("isspacep", "9.7.9.19")
def isspacep(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Whether a generic address lies in a state space."""
    target, source = i.operands
    assert isinstance(target, Register)
    destination, origin = slots.target(target), slots.source(source, TYPES["u64"])
    base = _BASES.get(m.parts[0], GLOBAL_BASE)

    def run(machine: Machine) -> None:
        address = machine.registers[origin].view(U64)
        machine.write(destination, (address >= np.uint64(base)) & (address < np.uint64(base + WINDOW)))

    return run


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


def _nothing(machine: Machine) -> None:
    """No effect on results: all threads see stores at once, and time does not pass."""


@step("membar", "9.7.13.3")
@step("fence", "9.7.13.4")
def fence(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Stores are visible at once here; hazard checks want to know that the fence is there."""

    def run(machine: Machine) -> None:
        for observer in machine.observers:
            observer.fence(machine)

    return run


@step("prefetch", "9.7.9.15")
@step("prefetchu", "9.7.9.15")
@step("applypriority", "9.7.9.16")
@step("discard", "9.7.9.17")
@step("nanosleep", "9.7.19.2")
@step("pmevent", "9.7.19.3")
@step("setmaxnreg", "9.7.19.5")
@step("griddepcontrol", "9.7.13.13")
def hint(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Hints change time, never results."""
    return _nothing


@step("createpolicy", "9.7.9.18")
def createpolicy(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """A cache policy is an opaque value."""
    target = i.operands[0]
    assert isinstance(target, Register)
    destination = slots.target(target)

    def run(machine: Machine) -> None:
        machine.write(destination, np.zeros((1, 1, 1), dtype=U64))

    return run


@formula("szext", "9.7.1.21")
def szext(m: Modifiers) -> Formula:
    """Sign or zero extend from bit b."""
    kind = m.type

    def extend(a: Array, b: Array) -> Array:
        count = np.minimum(b, np.uint32(32)).astype(np.int64)
        wide = a.astype(np.int64) & ((np.int64(1) << count) - 1)
        if kind.is_signed:
            sign = np.where(count > 0, wide >> np.maximum(count - 1, 0) & 1, 0)
            wide = wide - (sign << count)
        return wide.astype(kind.dtype)

    return Formula((kind, TYPES["u32"]), kind, extend)
