"""One access to one buffer in global memory: which units, by whom, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sandbox.device import Array, Fault
from sandbox.simulator.hazards.log import thread_range
from sandbox.simulator.hazards.order import BLOCK_SHIFT, LaunchOrder, block_of, thread_of
from sandbox.simulator.hazards.shadow import ADDS, CHANGE, SETS, STRONG, WEAK, Watched
from sandbox.simulator.hazards.strength import CLUSTER, GRID, Strength
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.lanes import EVERYONE, WARP
from sandbox.simulator.machine.state import Machine
from sandbox.verdict import Verdict


class BufferAccess(NamedTuple):
    """One access to one buffer."""

    machine: Machine
    access: MemoryAccess
    watched: Watched
    label: str
    how: Strength

    def element(self, unit: int) -> str:
        """How messages call the element of a unit."""
        return f"element {self.watched.element(unit)} of {self.label}"

    def fault(self, what: str, unit: int, who: tuple[int, int], verdict: Verdict = Verdict.RACE) -> Fault:
        """A fault of an agent, with the buffer and the byte offset of a unit."""
        fault = self.machine.batch.fault(verdict, what, self.access.instruction, agent=who)
        return replace(fault, buffer=self.label.split(" (")[0], offset=self.watched.byte(unit))


def buffer_accesses(
    machine: Machine, access: MemoryAccess, how: Strength, order: LaunchOrder, buffers: Mapping[str, Watched]
) -> list[tuple[BufferAccess, Array, Array, Array]]:
    """Every watched buffer that is touched: units, agents, and how many threads each stands for."""
    holding = machine.arena.touched(access.offsets)
    touched = [(a, buffers[a.name]) for a in holding if a.name in buffers]
    if not touched:
        return []
    located, agents, width = _lanes(machine, access, order)
    found: list[tuple[BufferAccess, Array, Array, Array]] = []
    for allocation, watched in touched:
        inside: Any = slice(None)
        if len(touched) < len(holding) or len(touched) > 1:
            offsets = machine.arena.offsets(located)
            inside = np.flatnonzero((offsets >= allocation.start) & (offsets < allocation.end))
            if not inside.size:
                continue
        if access.kind != "load" and access.size < watched.granularity:
            watched.refine(access.size)
        first = watched.unit(machine.arena, located[inside])
        case = BufferAccess(machine, access, watched, allocation.label, how)
        found += [
            (case, first + k, agents[inside], width if width.size == 1 else width[inside])
            for k in range(max(1, access.size // watched.granularity))
        ]
    return found


def _lanes(machine: Machine, access: MemoryAccess, order: LaunchOrder) -> tuple[Array, Array, Array]:
    """Flat byte offsets of the active lanes, the agent behind each, and whether it stands for a warp or block."""
    mask = EVERYONE if access.mask is None else access.mask
    shape = (*np.broadcast_shapes(access.offsets.shape[:2], mask.shape[:2]), machine.blocks)
    low, high = thread_range(machine, shape)
    full = access.mask is None or bool(access.mask.all())
    # Far quicker than nonzero() where few lanes poll and the others wait.
    flat = None if full else np.flatnonzero(mask if mask.shape == shape else np.broadcast_to(mask, shape))

    def chosen(values: Array) -> Array:
        if values.shape == shape:
            return values.reshape(-1) if flat is None else values.reshape(-1).take(flat)
        every = np.broadcast_to(values, shape)
        return every.reshape(-1) if flat is None else every[np.unravel_index(flat, shape)]

    # An element that stands for several threads counts as its first one, and once more as its last.
    blocks = machine.batch.blocks.reshape(1, 1, -1)
    offsets, agents = chosen(access.offsets), chosen(order.agents(blocks, low))
    if not (low != high).any():
        return offsets, agents, np.zeros(1, np.uint8)
    wide = np.where(low == high, 0, np.where(low // WARP == high // WARP, 1, 2)).astype(np.uint8)
    width = chosen(wide)
    if access.kind == "load":
        return offsets, agents, width
    both = np.concatenate([agents, chosen(order.agents(blocks, high))])
    return np.concatenate([offsets, offsets]), both, np.concatenate([width, width])


def meets(order: LaunchOrder, manner: Array, how: Strength, before: Array, agent: Array) -> Array:
    """Which writes an access is morally strong with (PTX ISA 9.0, section 8.7), sizes taken for equal."""
    reach = np.minimum((manner & (CHANGE - 1)).astype(np.int64) - STRONG, how.scope)
    near = block_of(before) == block_of(agent)
    if (reach == CLUSTER).any():
        cluster = order.geometry.cluster_of
        near |= (reach == CLUSTER) & (cluster(block_of(np.maximum(before, 0))) == cluster(block_of(agent)))
    found: Array = (manner >= STRONG) & (near | (reach >= GRID))
    return found


def manner_of(how: Strength) -> int:
    """How an access of a strength is remembered."""
    if not how.strong:
        return WEAK
    return STRONG + how.scope + CHANGE * how.changes + ADDS * how.adds + SETS * how.sets


def never_written(case: BufferAccess, unit: Array, agent: Array) -> Fault:
    """The fault of a read of what nothing wrote."""
    position = int(np.argmin(case.watched.written.take(unit)))
    verb = "read" if case.access.kind == "load" else "atomic operation"
    what = f"{verb} on {case.element(int(unit[position]))}, which nothing wrote in this run"
    return case.fault(what, int(unit[position]), who_is(int(agent[position])), Verdict.UNINITIALIZED)


def who_is(agent: int) -> tuple[int, int]:
    """Linear block and thread."""
    return agent >> BLOCK_SHIFT, thread_of(agent)


def same_value(machine: Machine, access: MemoryAccess, racing: Array, held: Watched | None) -> bool:
    """Whether every store to the racing units writes one value, and where `held` the value already there."""
    if len(access.values) != 1:
        return False
    value = access.values[0]
    mask = EVERYONE if access.mask is None else access.mask
    lead = np.broadcast_shapes(access.offsets.shape[:2], mask.shape[:2], value.shape[:2])
    shape = (*lead, machine.blocks)
    where = np.broadcast_to(mask, shape)
    stored = np.broadcast_to(value, shape)[where]
    stored = stored.view(f"uint{value.dtype.itemsize * 8}")
    index = np.broadcast_to(access.offsets, shape)[where] // value.dtype.itemsize
    if held:
        chosen = np.isin(held.unit(machine.arena, index * value.dtype.itemsize), racing)
        index, stored = index[chosen], stored[chosen]
        if not (machine.arena.view(value.dtype.itemsize)[index] == stored).all():
            return False
    order = np.argsort(index, kind="stable")
    index, stored = index[order], stored[order]
    return bool(((index[1:] != index[:-1]) | (stored[1:] == stored[:-1])).all())
