"""Warp-wide instructions (PTX ISA 9.0, sections 9.7.9.6 and 9.7.13.9 to 9.7.13.14)."""

from __future__ import annotations

from typing import Any

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Modifiers, Slots, refuse, step
from sandbox.simulator.machine.lanes import WARP, Geometry, by_warp, from_warps
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.ptx.syntax import Immediate, Instruction, Negated, Pair, Register
from sandbox.simulator.ptx.types import TYPES, U32

_FULL = 0xFFFFFFFF
_U32, _PRED = TYPES["u32"], TYPES["pred"]
_ABSURD = (np.uint32(0x7F7F7F7F), np.uint32(0xFF7F7F7F))
"""Huge as a float and as an integer, of either sign: it shows in sums, maxima and minima."""
_LANE = np.arange(WARP, dtype=np.int64).reshape(1, WARP, 1)
_BIT = (np.uint32(1) << np.arange(WARP, dtype=np.uint32)).reshape(1, WARP, 1)


def warps_of(value: Array, geometry: Geometry, fill: int | bool = 0) -> Array:
    """As (warps or 1, 32 or 1, blocks or 1): free of copies where the thread axes already are warps."""
    if geometry.columns == WARP:
        return value
    return by_warp(value, geometry, fill)


def threads_of(value: Array, geometry: Geometry) -> Array:
    """The inverse of `warps_of`."""
    if geometry.columns == WARP:
        return value
    return from_warps(np.broadcast_to(value, (geometry.warps, WARP, value.shape[2])), geometry)


def active_lanes(machine: Machine) -> Array:
    """Lanes that execute now, by warp; lanes beyond the block are inactive."""
    return warps_of(machine.active, machine.batch.geometry, fill=False)


def spelled_out(machine: Machine) -> Array:
    """Active lanes as (warps, 32, blocks or 1)."""
    return by_warp(machine.active, machine.batch.geometry, fill=False)


def ballot(predicate: Array) -> Array:
    """Bit i of the result is lane i's predicate; shape (warps, 1, blocks), uint32."""
    bits = np.where(predicate, _BIT, np.uint32(0))
    return np.bitwise_or.reduce(bits, axis=1, keepdims=True)


def _targets(i: Instruction, slots: Slots) -> tuple[int | None, int | None]:
    target = i.operands[0]
    both = (target.first, target.second) if isinstance(target, Pair) else (target, None)
    first, second = (slots.target(t) if isinstance(t, Register) else None for t in both)
    return first, second


@step("shfl", "9.7.9.6")
def shfl(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Read another lane's register: up, down, bfly or idx, within segments of the warp."""
    if "sync" not in m:
        raise refuse("shfl without .sync")
    first, second = _targets(i, slots)
    a, b, c, members = (slots.source(operand, _U32) for operand in i.operands[1:5])
    mode = next(part for part in m.parts if part in {"up", "down", "bfly", "idx"})

    def run(machine: Machine) -> None:
        geometry = machine.batch.geometry
        value, amount, limits = (warps_of(machine.registers[s].view(U32), geometry) for s in (a, b, c))
        source, inside = _source_lane(mode, amount, limits)
        if first is not None:
            found = _gather(value, source)
            member = machine.registers[members].view(U32)
            if machine.mask is not None or geometry.threads % WARP or _some_left_out(member):
                found = _undefined_from_others(machine, i, found, source, member)
            machine.write(first, threads_of(found, geometry))
        if second is not None:
            machine.write(second, threads_of(inside, geometry))

    return run


def _some_left_out(members: Array) -> bool:
    return members.size > 1 or int(members.flat[0]) != _FULL


def _undefined_from_others(
    machine: Machine, i: Instruction, found: Array, source: Array, members: Array
) -> Array:
    """What comes from a lane that is inactive, or not in the mask, is undefined: here absurd, and noted."""
    geometry = machine.batch.geometry
    active = spelled_out(machine)
    taking_part = _gather(np.broadcast_to(active, (geometry.warps, WARP, active.shape[2])), source)
    named = by_warp(members, geometry) >> source.astype(U32) & np.uint32(1)
    wrong = ~(taking_part & (named != 0)) & active
    if not wrong.any():
        return found
    note = f"{i.mnemonic} at line {i.line} reads lanes that take no part: what it gets is undefined"
    machine.notes[note] = None
    machine.undefined[note] = None
    absurd = _ABSURD[machine.backwards]
    return np.where(wrong, absurd, np.broadcast_to(found, np.broadcast_shapes(found.shape, wrong.shape)))


def _source_lane(mode: str, amount: Array, limits: Array) -> tuple[Array, Array]:
    """The lane each lane reads from, and whether that is inside its segment (the pseudocode of 9.7.9.6)."""
    distance = (amount & np.uint32(31)).astype(np.int64)
    clamp = (limits & np.uint32(31)).astype(np.int64)
    segment = (limits >> np.uint32(8) & np.uint32(31)).astype(np.int64)
    highest = (_LANE & segment) | (clamp & ~segment)
    if mode == "up":
        source = _LANE - distance
        inside = source >= highest
    else:
        lowest = _LANE & segment
        candidates = {
            "down": _LANE + distance,
            "bfly": _LANE ^ distance,
            "idx": lowest | (distance & ~segment),
        }
        source = candidates[mode]
        inside = source <= highest
    return np.where(inside, source, _LANE), inside


def _gather(value: Array, source: Array) -> Array:
    if value.shape[1] == 1:
        return value
    if source.shape[0] == 1 and source.shape[2] == 1:
        return value.take(source[0, :, 0], axis=1)
    lead, last = max(value.shape[0], source.shape[0]), max(value.shape[2], source.shape[2])
    shape = (lead, WARP, last)
    return np.take_along_axis(np.broadcast_to(value, shape), np.broadcast_to(source, shape), axis=1)


@step("vote", "9.7.13.9")
def vote(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """All, any, uni or ballot over the active lanes that each lane's member mask names."""
    target, source = i.operands[:2]
    assert isinstance(target, Register)
    inverted = isinstance(source, Negated)
    origin = slots.source(source.register if isinstance(source, Negated) else source, _PRED)
    destination = slots.target(target)
    members = slots.source(i.operands[2] if "sync" in m else Immediate(_FULL), _U32)
    mode = next(part for part in m.parts if part in {"all", "any", "uni", "ballot"})

    def run(machine: Machine) -> None:
        geometry = machine.batch.geometry
        predicate, active = warps_of(machine.registers[origin], geometry), active_lanes(machine)
        member = warps_of(machine.registers[members].view(U32), geometry)
        predicate = ~predicate if inverted else predicate
        yes, no = ballot(predicate & active) & member, ballot(~predicate & active) & member
        results = {"ballot": yes, "all": no == 0, "any": yes != 0, "uni": (no == 0) | (yes == 0)}
        machine.write(destination, threads_of(results[mode], geometry))

    return run


@step("activemask", "9.7.13.11")
def activemask(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """The lanes that execute together now."""
    target = i.operands[0]
    assert isinstance(target, Register)
    destination = slots.target(target)

    def run(machine: Machine) -> None:
        geometry = machine.batch.geometry
        lanes = spelled_out(machine)
        machine.write(destination, threads_of(ballot(lanes), geometry))

    return run


@step("match", "9.7.13.10")
def match(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """The lanes that hold the same value; `.all` is zero unless every lane agrees."""
    first, second = _targets(i, slots)
    origin = slots.source(i.operands[1], TYPES[f"u{m.type.bits}"])
    members = slots.source(i.operands[2], _U32)

    def run(machine: Machine) -> None:
        geometry = machine.batch.geometry
        value = by_warp(machine.registers[origin].view(f"uint{m.type.bits}"), geometry)
        member = by_warp(machine.registers[members].view(U32), geometry)
        active = spelled_out(machine)
        value, active = np.broadcast_arrays(value, active)
        equal = (value[:, :, None, :] == value[:, None, :, :]) & active[:, None, :, :]
        bits = np.where(equal, _BIT.reshape(1, 1, WARP, 1), np.uint32(0))
        lanes = np.bitwise_or.reduce(bits, axis=2) & member
        if "all" in m:
            every = lanes == ballot(active) & member
            lanes = np.where(every, lanes, np.uint32(0))
            if second is not None:
                machine.write(second, from_warps(every, geometry))
        if first is not None:
            machine.write(first, from_warps(lanes, geometry))

    return run


_REDUCTIONS: dict[str, np.ufunc] = {
    "add": np.add,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}


@step("redux", "9.7.13.12")
def redux(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Reduce an integer over the active lanes named in the member mask."""
    target, source, members = i.operands
    assert isinstance(target, Register)
    kind = m.type
    destination, origin, mask = slots.target(target), slots.source(source, kind), slots.source(members, _U32)
    name = next(part for part in m.parts if part in _REDUCTIONS)
    function, identity = _REDUCTIONS[name], _identity(name, kind.dtype)

    def run(machine: Machine) -> None:
        geometry = machine.batch.geometry
        value = by_warp(machine.registers[origin].view(kind.dtype), geometry)
        active, member = spelled_out(machine), by_warp(machine.registers[mask].view(U32), geometry)
        value, member, active = np.broadcast_arrays(value, member, active)
        result = np.zeros(value.shape, dtype=kind.dtype)
        for group in np.unique(member[active]):
            lanes = active & (member == group)
            inside = np.where(lanes, value, identity)
            total = function.reduce(inside, axis=1, keepdims=True, dtype=kind.dtype)
            result = np.where(lanes, total, result)
        machine.write(destination, from_warps(result, geometry))

    return run


def _identity(name: str, dtype: np.dtype[Any]) -> Any:
    info = np.iinfo(dtype)
    values = {"min": info.max, "max": info.min, "and": -1 if info.min else info.max}
    return dtype.type(values.get(name, 0))


@step("elect", "9.7.13.14")
def elect(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Elect the lowest active lane of the member mask."""
    first, second = _targets(i, slots)
    members = slots.source(i.operands[1], _U32)

    def run(machine: Machine) -> None:
        geometry = machine.batch.geometry
        member, active = by_warp(machine.registers[members].view(U32), geometry), spelled_out(machine)
        named = ballot(active) & member
        lowest = named & (~named + np.uint32(1))
        if first is not None:
            leader = np.bitwise_count(lowest - np.uint32(1)).astype(U32)
            machine.write(first, from_warps(_spread(leader, geometry), geometry))
        if second is not None:
            machine.write(second, from_warps(_spread((lowest == _BIT) & active, geometry), geometry))

    return run


def _spread(value: Array, geometry: Geometry) -> Array:
    return np.broadcast_to(value, (geometry.warps, WARP, value.shape[2]))
