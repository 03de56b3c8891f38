"""Data movement between registers (PTX ISA 9.0, section 9.7.9) and small machine instructions."""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Modifiers, Slots, step
from sandbox.simulator.machine.clusters import RANK_UNIT
from sandbox.simulator.machine.memory import GLOBAL_BASE, LOCAL_BASE, SHARED_BASE, WINDOW
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.ptx.syntax import Instruction, Register, Vector
from sandbox.simulator.ptx.types import TYPES, U64, PtxType

_CLOCKS = frozenset({"%clock", "%clock_hi", "%clock64", "%globaltimer", "%globaltimer_lo", "%globaltimer_hi"})
_TICKS = 64
_BASES = {"shared": SHARED_BASE, "local": LOCAL_BASE}


@step("mov", "9.7.9.3, 9.7.9.4")
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
        machine.ticks += _TICKS
        machine.write(destination, np.full((1, 1, 1), machine.ticks & (1 << kind.bits) - 1, dtype=kind.dtype))

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
    base = _BASES.get(m.parts[0].split("::")[0], GLOBAL_BASE)
    size = RANK_UNIT if m.parts[0] in {"shared", "shared::cta"} else WINDOW

    def run(machine: Machine) -> None:
        address = machine.registers[origin].view(U64)
        machine.write(destination, (address >= np.uint64(base)) & (address < np.uint64(base + size)))

    return run
