"""Races in global memory within a launch, and reads of outputs or scratch that nothing wrote.

Every unit of a buffer that a kernel may write remembers its last writer and its readers as one number: block,
barrier interval, `__syncwarp` interval and thread. Inputs are not watched: the judge compares them afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sandbox.device import Array
from sandbox.simulator.faults import FaultError
from sandbox.simulator.hazards.log import thread_range
from sandbox.simulator.lanes import WARP
from sandbox.simulator.machine import Access, Machine, Observer
from sandbox.verdict import Verdict

_THREAD, _WARP_EPOCH, _EPOCH = 10, 12, 16
_BLOCK = _THREAD + _WARP_EPOCH + _EPOCH
_EVERYONE = np.ones((1, 1, 1), dtype=np.bool_)
_NOBODY = np.int64(-1)
_MANY = np.int64(-2)
ORDERINGS = frozenset({"acquire", "release", "acq_rel", "sc"})
_OTHERS = np.full(1, -1, dtype=np.int64)


@dataclass
class Watched:
    """Shadow of one buffer, by unit.

    Attributes:
        writer, reader: The last agent to write and to read in this launch.
        atomic: Whether the last write was an atomic.
        crowd: Whether other threads of the reader's block read too, in the same barrier interval.
        written: Whether anything was written in this run.
    """

    start: int
    granularity: int
    writer: Array
    atomic: Array
    reader: Array
    crowd: Array
    written: Array

    def start_launch(self) -> None:
        """Launches are ordered: forget who did what, not what was written."""
        self.writer[:] = _NOBODY
        self.reader[:] = _NOBODY
        self.crowd[:] = False


@dataclass
class GlobalHazards(Observer):
    """Watches the writable buffers of one launch; lives as long as the launch.

    A write in one block and an access in another conflict unless the writer's block issued a fence after it and
    the other block has since done an atomic (the pattern of the last block to finish, and of grid barriers).

    Attributes:
        buffers: Shadows by buffer name.
        notes: Findings that are no failure.
    """

    buffers: dict[str, Watched]
    blocks: int
    notes: dict[str, None]
    _epoch: Array = field(init=False)
    _warp_epoch: int = 0
    _fences: Array = field(init=False)
    _acquired: Array = field(init=False)

    def __post_init__(self) -> None:
        self._epoch = np.zeros(self.blocks, dtype=np.int64)
        self._fences = np.full(self.blocks, -1, dtype=np.int64)
        self._acquired = np.zeros(self.blocks, dtype=np.bool_)

    def global_access(self, machine: Machine, access: Access) -> None:
        """Judge one access against what came before it in this launch."""
        ordering = ORDERINGS & set(access.instruction.modifiers)
        if ordering - {"acquire"}:
            self.fence(machine)
        if access.kind == "atomic" or "acquire" in ordering:
            self._acquired[machine.place.blocks] = True
        low, high = int(access.offsets.min()), int(access.offsets.max())
        near = machine.arena.nearest(low)
        if near is not None and near.start <= low and high < near.end and near.name not in self.buffers:
            return
        offsets, agents = self._lanes(machine, access)
        for name, watched in self.buffers.items():
            allocation = machine.arena.allocations[name]
            inside = (offsets >= allocation.start) & (offsets < allocation.end)
            if not inside.any():
                continue
            first = (offsets[inside] - watched.start) // watched.granularity
            for k in range(max(1, access.size // watched.granularity)):
                self._judge(machine, access, watched, allocation.label, first + k, agents[inside])

    def barrier(self, machine: Machine, released: Array | None) -> None:
        """Accesses of a block before its barrier are ordered before those after it."""
        which = machine.place.blocks
        if released is not None:
            which = which[np.broadcast_to(released.any(axis=(0, 1)), (machine.blocks,))]
        self._epoch[which] = (self._epoch[which] + 1) & ((1 << _EPOCH) - 1)

    def warp_barrier(self, machine: Machine) -> None:
        """`bar.warp.sync` orders the accesses of a warp."""
        self._warp_epoch = (self._warp_epoch + 1) & ((1 << _WARP_EPOCH) - 1)

    def fence(self, machine: Machine) -> None:
        """A fence publishes what its block wrote until then: up to this barrier interval."""
        which = machine.place.blocks
        if machine.mask is not None:
            which = which[np.broadcast_to(machine.mask.any(axis=(0, 1)), (machine.blocks,))]
        self._fences[which] = self._epoch[which]

    def _lanes(self, machine: Machine, access: Access) -> tuple[Array, Array]:
        """Flat byte offsets of the active lanes, and the agent behind each."""
        mask = _EVERYONE if access.mask is None else access.mask
        shape = (*np.broadcast_shapes(access.offsets.shape[:2], mask.shape[:2]), machine.blocks)
        low, high = thread_range(machine, shape)
        # An element that stands for several threads counts as its first one, and once more as its last.
        block = machine.place.blocks.reshape(1, 1, -1)
        agent = (
            (block << _BLOCK)
            | (self._epoch[block] << (_THREAD + _WARP_EPOCH))
            | (self._warp_epoch << _THREAD)
            | low
        )
        where = np.broadcast_to(mask, shape)
        offsets = np.broadcast_to(access.offsets, shape)[where]
        agents = np.broadcast_to(agent, shape)[where]
        if access.kind == "load" or not (low != high).any():
            return offsets, agents
        others = np.broadcast_to(agent - low + high, shape)[where]
        return np.concatenate([offsets, offsets]), np.concatenate([agents, others])

    def _judge(
        self, machine: Machine, access: Access, watched: Watched, label: str, unit: Array, agent: Array
    ) -> None:
        if access.kind != "store" and not watched.written.take(unit).all():
            self._never_written(machine, access, watched, label, unit)
        before = watched.writer.take(unit)
        plain = self._unordered(before, agent)
        if access.kind == "atomic":
            plain = plain & ~watched.atomic.take(unit)
        if plain.any():
            self._race(machine, access, label, unit, (before, agent, plain), "written by another", watched)
        if access.kind == "load":
            last = watched.reader.take(unit)
            others = (last != _NOBODY) & (last >> _BLOCK != agent >> _BLOCK)
            watched.crowd[unit] = self._unordered(last, agent) & ~others
            watched.reader[unit] = np.where(others, _MANY, agent)
            # Lanes of one instruction that share a unit are a crowd as well.
            watched.crowd[unit[watched.reader.take(unit) != np.where(others, _MANY, agent)]] = True
            return
        readers = watched.reader.take(unit)
        crowd = watched.crowd.take(unit) & self._same_interval(readers, agent)
        everywhere = (readers == _MANY) & ~(self._acquired[agent >> _BLOCK] & (self._fences >= 0).all())
        race = everywhere | crowd | self._unordered(readers, agent)
        if race.any() and access.kind == "store":
            self._race(machine, access, label, unit, (readers, agent, race), "read by another", watched)
        watched.writer[unit] = agent
        watched.atomic[unit] = access.kind == "atomic"
        watched.written[unit] = True
        if access.kind == "store":
            collided = watched.writer.take(unit) != agent
            if collided.any():
                self._race(
                    machine,
                    access,
                    label,
                    unit,
                    (_OTHERS, agent, collided),
                    "written at once by another",
                    None,
                )

    def _unordered(self, before: Array, agent: Array) -> Array:
        """Which earlier accesses are neither the agent's own nor ordered before it."""
        known = before >= 0
        same_block = before >> _BLOCK == agent >> _BLOCK
        other_thread = (before ^ agent) & ((1 << _THREAD) - 1) != 0
        same_epoch = (before ^ agent) >> (_THREAD + _WARP_EPOCH) == 0
        same_warp = ((before ^ agent) & ((1 << _THREAD) - 1)) < WARP
        same_warp = same_warp & ((before & 0x3FF) >> 5 == (agent & 0x3FF) >> 5)
        synced = same_warp & ((before ^ agent) >> _THREAD != 0)
        inside = same_block & same_epoch & other_thread & ~synced
        safe = np.maximum(before, 0) >> _BLOCK
        interval = before >> (_THREAD + _WARP_EPOCH) & ((1 << _EPOCH) - 1)
        published = (self._fences[safe] >= interval) & self._acquired[agent >> _BLOCK]
        return known & (inside | (~same_block & ~published))

    def _same_interval(self, before: Array, agent: Array) -> Array:
        return (before >= 0) & ((before ^ agent) >> (_THREAD + _WARP_EPOCH) == 0)

    def _race(
        self,
        machine: Machine,
        access: Access,
        label: str,
        unit: Array,
        found: tuple[Array, Array, Array],
        deed: str,
        held: Watched | None,
    ) -> None:
        """Report a race, unless every store writes the value of its rivals (and that `held` already)."""
        before, agent, wrong = found
        position = int(np.argmax(wrong))
        if (
            access.kind == "store"
            and deed.startswith("written")
            and same_value(machine, access, unit[wrong], held)
        ):
            line = access.instruction.line
            self.notes[f"several threads write the same value to {label} at line {line}: benign"] = None
            return
        first, second = int(before[position % before.size]), int(agent[position])
        across = first == _MANY or (first >= 0 and first >> _BLOCK != second >> _BLOCK)
        who = "block of the launch" if across else "thread without a barrier between"
        element = int(unit[position])
        verb = {"load": "read", "store": "write", "atomic": "atomic"}[access.kind]
        what = f"race on element {element} of {label}: {verb} of what was {deed} {who}"
        raise FaultError(machine.place.fault(Verdict.RACE, what, access.instruction))

    def _never_written(
        self, machine: Machine, access: Access, watched: Watched, label: str, unit: Array
    ) -> None:
        element = int(unit[int(np.argmin(watched.written.take(unit)))])
        verb = "read" if access.kind == "load" else "atomic operation"
        what = f"{verb} on element {element} of {label}, which nothing wrote in this run"
        raise FaultError(machine.place.fault(Verdict.UNINITIALIZED, what, access.instruction))


def same_value(machine: Machine, access: Access, racing: Array, held: Watched | None) -> bool:
    """Whether every store to the racing units writes one value, and where `held` the value already there."""
    if len(access.values) != 1:
        return False
    value = access.values[0]
    mask = _EVERYONE if access.mask is None else access.mask
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


def watch(start: int, nbytes: int, granularity: int, *, written: bool) -> Watched:
    """A fresh shadow; `written` for buffers that hold data before the launch (inout)."""
    units = -(-nbytes // granularity) + 16 // granularity
    return Watched(
        start=start,
        granularity=granularity,
        writer=np.full(units, _NOBODY),
        atomic=np.zeros(units, dtype=np.bool_),
        reader=np.full(units, _NOBODY),
        crowd=np.zeros(units, dtype=np.bool_),
        written=np.full(units, written, dtype=np.bool_),
    )
