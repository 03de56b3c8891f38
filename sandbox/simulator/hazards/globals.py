"""Races in global memory within a launch, and reads of outputs or scratch that nothing wrote.

Every unit of a buffer or device variable that a kernel may write remembers its last writer and its readers.
Inputs have a watch of their own: nothing may write them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sandbox.device import Array, Fault
from sandbox.simulator.hazards.log import thread_range
from sandbox.simulator.hazards.ordering import BLOCK_SHIFT, NOBODY, Ordering, block_of, thread_of
from sandbox.simulator.hazards.shadow import Watched
from sandbox.simulator.machine.access import MemoryAccess, SyncKey
from sandbox.simulator.machine.arrivals import CLUSTER
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import EVERYONE, Geometry
from sandbox.simulator.machine.state import Machine, Observer
from sandbox.verdict import Verdict

_MANY = np.int64(-2)
ORDERINGS = frozenset({"acquire", "release", "acq_rel", "sc"})
_STRONG = ORDERINGS | {"relaxed"}
_VERBS = {"load": "read", "store": "write", "atomic": "atomic"}
_OTHERS = np.full(1, -1, dtype=np.int64)


class GlobalHazards(Observer):
    """Watches the writable buffers of one launch; lives as long as the launch.

    A volatile load counts as synchronisation only where a loop waits for its value, otherwise as the plain load
    that warp-synchronous code takes it for.

    Args:
        buffers: Shadows by buffer name.
        geometry: Of the launch.
        notes: Findings that are no failure.
        waits: Loads whose value ends a loop (`Code.waits`).
    """

    def __init__(
        self,
        buffers: dict[str, Watched],
        geometry: Geometry,
        notes: dict[str, None],
        waits: frozenset[int] = frozenset(),
    ) -> None:
        self.buffers = buffers
        self.notes = notes
        self._waits = waits
        self._order = Ordering(geometry)

    def global_access(self, machine: Machine, access: MemoryAccess) -> None:
        """Judge one access against what came before it in this launch."""
        modifiers = set(access.instruction.modifiers)
        ordering = ORDERINGS & modifiers
        if ordering - {"acquire"}:
            self._order.fence(machine, inner="cta" in modifiers)
        strong = access.kind == "atomic" or self._is_strong(access, modifiers)
        if "cta" not in modifiers and (access.kind == "atomic" or (access.kind == "load" and strong)):
            self._order.acquire(machine, EVERYONE if access.mask is None else access.mask)
        touched = machine.arena.touched(access.offsets)
        if all(allocation.name not in self.buffers for allocation in touched):
            return
        offsets, agents = self._lanes(machine, access)
        for allocation in touched:
            watched = self.buffers.get(allocation.name)
            if watched is None:
                continue
            inside: Any = slice(None)
            if len(touched) > 1:
                inside = (offsets >= allocation.start) & (offsets < allocation.end)
            if access.kind != "load" and access.size < watched.granularity:
                watched.refine(access.size)
            first = (offsets[inside] - watched.start) // watched.granularity
            if not first.size:
                continue
            for k in range(max(1, access.size // watched.granularity)):
                self._judge(
                    _Case(machine, access, watched, allocation.label, strong), first + k, agents[inside]
                )

    def barrier(self, machine: Machine, released: Array | None, number: int | None = None) -> None:
        """Accesses of a block before its barrier are ordered before those after it."""
        which = machine.batch.blocks
        if released is not None:
            which = which[np.broadcast_to(released.any(axis=(0, 1)), (machine.blocks,))]
        if number == CLUSTER:
            self._order.cluster_barrier(which)
        else:
            self._order.barrier(which)

    def complete(self, machine: Machine, key: SyncKey, blocks: Array) -> None:
        """A phase of an mbarrier is over: taken for a barrier of the whole block."""
        if key[0] == "mbarrier":
            self._order.barrier(machine.batch.blocks[blocks])

    def warp_barrier(self, machine: Machine) -> None:
        """`bar.warp.sync` orders the accesses of a warp."""
        self._order.warp_barrier(machine)

    def fence(self, machine: Machine, *, inner: bool) -> None:
        """A fence publishes what its thread wrote, and what its block wrote before its last barrier."""
        self._order.fence(machine, inner=inner)

    def _is_strong(self, access: MemoryAccess, modifiers: set[str]) -> bool:
        if modifiers & _STRONG:
            return True
        return "volatile" in modifiers and (access.kind == "store" or id(access.instruction) in self._waits)

    def _lanes(self, machine: Machine, access: MemoryAccess) -> tuple[Array, Array]:
        """Flat byte offsets of the active lanes, and the agent behind each."""
        mask = EVERYONE if access.mask is None else access.mask
        shape = (*np.broadcast_shapes(access.offsets.shape[:2], mask.shape[:2]), machine.blocks)
        low, high = thread_range(machine, shape)
        # Far quicker than nonzero() where few lanes poll and the others wait.
        where = np.unravel_index(np.flatnonzero(np.broadcast_to(mask, shape)), shape)
        offsets = np.broadcast_to(access.offsets, shape)[where]
        blocks = machine.batch.blocks[where[2]]
        first, last = low[where[0], where[1], 0], high[where[0], where[1], 0]
        # An element that stands for several threads counts as its first one, and once more as its last.
        agents = self._order.agents(blocks, first)
        if access.kind == "load" or not (first != last).any():
            return offsets, agents
        return np.concatenate([offsets, offsets]), np.concatenate([agents, self._order.agents(blocks, last)])

    def _judge(self, case: _Case, unit: Array, agent: Array) -> None:
        watched, kind = case.watched, case.access.kind
        modifiers = case.access.instruction.modifiers
        if case.access.reads and not watched.written.take(unit).all():
            raise FaultError(_never_written(case, unit, agent))
        before = watched.writer.take(unit)
        atomic = watched.atomic.take(unit)
        plain = self._order.unordered(before, agent, atomic)
        # A volatile load is a relaxed one of system scope (PTX ISA 9.0, 8.4): it may meet an atomic operation.
        meets = kind != "store" if "volatile" in modifiers else case.strong
        if meets:
            plain = plain & ~(atomic & (("cta" not in modifiers) | (block_of(before) == block_of(agent))))
        if plain.any():
            self._race(case, unit, (before, agent, plain), "written by another", watched)
        if kind == "load":
            if not case.strong:
                self._remember_readers(watched, unit, agent)
            return
        self._judge_readers(case, unit, agent)
        watched.writer[unit] = agent
        watched.atomic[unit] = case.strong
        watched.written[unit] = True
        if kind == "store":
            collided = watched.writer.take(unit) != agent
            if collided.any():
                self._race(case, unit, (_OTHERS, agent, collided), "written at once by another", None)
        elif "cta" in modifiers:
            last = watched.writer.take(unit)
            apart = block_of(last) != block_of(agent)
            if apart.any():
                self._race(case, unit, (last, agent, apart), "changed, in block scope, by another", None)

    def _remember_readers(self, watched: Watched, unit: Array, agent: Array) -> None:
        last = watched.reader.take(unit)
        unordered = self._order.unordered(last, agent)
        # A reader that comes after the last one in order stands for both.
        others = (last == _MANY) | (unordered & (block_of(last) != block_of(agent)))
        now = np.where(others, _MANY, agent)
        watched.crowd[unit] = unordered & ~others
        watched.reader[unit] = now
        # Lanes of one instruction that share a unit are a crowd as well.
        watched.crowd[unit[watched.reader.take(unit) != now]] = True

    def _judge_readers(self, case: _Case, unit: Array, agent: Array) -> None:
        readers = case.watched.reader.take(unit)
        if case.access.kind != "store" or not (readers != NOBODY).any():
            return
        crowd = case.watched.crowd.take(unit) & self._order.same_interval(readers, agent)
        everywhere = (readers == _MANY) & ~self._order.after_all(agent)
        race = everywhere | crowd | self._order.unordered(readers, agent)
        if race.any():
            self._race(case, unit, (readers, agent, race), "read by another", case.watched)

    def _race(
        self,
        case: _Case,
        unit: Array,
        found: tuple[Array, Array, Array],
        deed: str,
        held: Watched | None,
    ) -> None:
        """Report a race, unless every store writes the value of its rivals (and that `held` already)."""
        access, place = case.access, case.machine.batch
        before, agent, wrong = found
        position = int(np.argmax(wrong))
        if (
            access.kind == "store"
            and deed.startswith("written")
            and same_value(case.machine, access, unit[wrong], held)
        ):
            line = access.instruction.line
            self.notes[f"several threads write the same value to {case.label} at line {line}: benign"] = None
            return
        first, second = int(before[position % before.size]), int(agent[position])
        across = first == _MANY or (first >= 0 and first >> BLOCK_SHIFT != second >> BLOCK_SHIFT)
        who = "block of the launch" if across else "thread without a barrier between"
        what = f"race on {case.element(unit, position)}: {_VERBS[access.kind]} of what was {deed} {who}"
        if first >= 0:
            block, thread = place.coordinates(*_identity(first))
            what += f", by block {block}, thread {thread}"
        fault = place.fault(Verdict.RACE, what, access.instruction, agent=_identity(second))
        raise FaultError(case.located(fault, unit, position))


@dataclass(frozen=True)
class _Case:
    """One access to one buffer."""

    machine: Machine
    access: MemoryAccess
    watched: Watched
    label: str
    strong: bool

    def element(self, unit: Array, position: int) -> str:
        return f"element {self.watched.element(int(unit[position]))} of {self.label}"

    def located(self, fault: Fault, unit: Array, position: int) -> Fault:
        """The fault with the buffer and the byte offset of a unit."""
        offset = int(unit[position]) * self.watched.granularity
        return replace(fault, buffer=self.label.split(" (")[0], offset=offset)


def _never_written(case: _Case, unit: Array, agent: Array) -> Fault:
    position = int(np.argmin(case.watched.written.take(unit)))
    verb = "read" if case.access.kind == "load" else "atomic operation"
    what = f"{verb} on {case.element(unit, position)}, which nothing wrote in this run"
    who = _identity(int(agent[position]))
    fault = case.machine.batch.fault(Verdict.UNINITIALIZED, what, case.access.instruction, agent=who)
    return case.located(fault, unit, position)


def _identity(agent: int) -> tuple[int, int]:
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
    start, granularity = (held.start, held.granularity) if held else (0, value.dtype.itemsize)
    if held:
        chosen = np.isin((index * value.dtype.itemsize - start) // granularity, racing)
        index, stored = index[chosen], stored[chosen]
        if not (machine.arena.view(value.dtype.itemsize)[index] == stored).all():
            return False
    order = np.argsort(index, kind="stable")
    index, stored = index[order], stored[order]
    return bool(((index[1:] != index[:-1]) | (stored[1:] == stored[:-1])).all())
