"""Which accesses of one launch happen before which (PTX ISA 9.0, chapter 8, "Memory Consistency Model").

An agent is one number: linear block, tick of the access, thread. Ticks count the synchronisation events of the
launch, so two accesses with no such event between them have the same tick, and to know of a thread up to a tick is
to know of all that it did until then.

Inside a block, barriers order: all of it, or the lanes of a warp; where fewer take part `Clocks` keeps what every
thread knows. Between blocks only releases that somebody observed do (`Releases`), and barriers of a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sandbox.device import Array
from sandbox.simulator.hazards.clocks import Clocks, Ticks
from sandbox.simulator.hazards.publishing import Publishing
from sandbox.simulator.hazards.releases import Before, Entries, Releases
from sandbox.simulator.hazards.strength import Fence, Strength
from sandbox.simulator.machine.lanes import WARP, Geometry, by_warp
from sandbox.simulator.machine.state import Machine

_THREAD_BITS, _TIME_BITS = 10, 28
BLOCK_SHIFT = _THREAD_BITS + _TIME_BITS
_THREADS = (1 << _THREAD_BITS) - 1
_TIMES = (1 << _TIME_BITS) - 1
NOBODY = np.int64(-1)
_NEVER = -1
ACQUIRED, TICKET, OBSERVED = range(3)
"""How a release is known of: by an acquire; or, without one, by the old value of an atomic operation that no loop
waits for; or by any strong read."""


@dataclass
class _OrderedBatch:
    """What is remembered while a batch of blocks runs.

    Attributes:
        clocks: What the threads of its blocks know of each other, where barriers of whole blocks and whole warps are
            not all there is.
        warps: Tick of the last barrier of each warp, shape (B, warps).
    """

    of: object
    publishing: Publishing
    clocks: Clocks | None = None
    warps: Array | None = None


@dataclass
class LaunchOrder:
    """What has synchronised with what so far in one launch.

    Attributes:
        geometry: Of the launch.
        words: Of global memory, of four bytes each: locations are told apart by word.
        ticks: The launch's time.
    """

    geometry: Geometry
    words: int
    ticks: Ticks = field(default_factory=Ticks)
    _clusters: Array | None = None
    _batches: dict[int, _OrderedBatch] = field(default_factory=dict[int, _OrderedBatch])

    def __post_init__(self) -> None:
        blocks = self.geometry.blocks
        self._barrier = np.full(blocks, _NEVER, dtype=np.int64)
        self._position = np.zeros(blocks, dtype=np.int64)
        self.releases = Releases(self.geometry, self.words)
        self._now: _OrderedBatch | None = None

    def enter(self, machine: Machine) -> None:
        """A batch goes on, or begins: batches may take turns."""
        batch = machine.batch
        if self._now is not None and self._now.of is batch:
            return
        found = self._batches.get(id(batch))
        if found is None:
            self._position[batch.blocks] = np.arange(len(batch.blocks))
            publishing = Publishing(self.geometry, batch.blocks, self.releases)
            found = self._batches[id(batch)] = _OrderedBatch(batch, publishing)
        self._now = found

    def leave(self, machine: Machine) -> None:
        """A batch has ended."""
        self._batches.pop(id(machine.batch), None)
        self._now = None

    def attach(self, machine: Machine, clocks: Clocks) -> None:
        """Vector clocks are kept of the threads of a batch."""
        self.enter(machine)
        self._batch.clocks = clocks

    @property
    def _batch(self) -> _OrderedBatch:
        assert self._now is not None
        return self._now

    @property
    def _publishing(self) -> Publishing:
        return self._batch.publishing

    def agents(self, blocks: Array, threads: Array) -> Array:
        """The agents that act now, of linear blocks and linear threads."""
        return (blocks << BLOCK_SHIFT) | (self.ticks.now << _THREAD_BITS) | threads

    def barrier(self, machine: Machine, released: Array | None) -> None:
        """Barriers of whole blocks open, for the blocks of these lanes."""
        blocks = machine.batch.blocks
        if released is not None:
            blocks = blocks[np.broadcast_to(released.any(axis=(0, 1)), (machine.blocks,))]
        self._barrier[blocks] = self.ticks.step()
        self._publishing.barrier(self._position[blocks])

    def cluster_barrier(self, machine: Machine, released: Array | None) -> None:
        """The barrier of the clusters of these lanes opens."""
        if self._clusters is None:
            self._clusters = np.full(self.geometry.blocks, _NEVER, dtype=np.int64)
        self.barrier(machine, released)
        blocks = machine.batch.blocks
        if released is not None:
            blocks = blocks[np.broadcast_to(released.any(axis=(0, 1)), (machine.blocks,))]
        self._clusters[blocks] = self._barrier[blocks]

    def warp_barrier(self, machine: Machine) -> None:
        """The active lanes, whole warps, pass a barrier of their warp."""
        if self._batch.warps is None:
            self._batch.warps = np.full((machine.blocks, self.geometry.warps), _NEVER, dtype=np.int64)
        active = by_warp(machine.active, self.geometry, fill=False).any(axis=1)
        taking_part = np.broadcast_to(active, (self.geometry.warps, machine.blocks)).T
        self._batch.warps = np.where(taking_part, self.ticks.step(), self._batch.warps)

    def fence(self, machine: Machine, fence: Fence) -> None:
        """The active lanes execute a fence."""
        position, thread = self.lanes(machine, machine.active)
        blocks = machine.batch.blocks[position]
        tick = self.ticks.step()
        floors = (self._barrier[blocks], self._warp_of(position, thread))
        row = None
        if self._batch.clocks is not None and fence.releases:
            row = self.releases.save(self._batch.clocks.view(position, thread))
        self._publishing.fence((position, thread), fence, tick, floors, row)

    def lanes(self, machine: Machine, mask: Array) -> tuple[Array, Array]:
        """Positions in the batch and linear threads of the lanes of a mask, in the order of atomics."""
        row, column, position = machine.in_turn(mask)
        return position, row * self.geometry.columns + column

    def stored(self, lanes: tuple[Array, Array], word: Array, strength: Strength) -> None:
        """Lanes, positions and threads, have stored to words, strongly."""
        wrote = np.full(len(word), self.ticks.step())
        releasing, entries = self._releasing(lanes, strength)
        self.releases.head(word, self._publishing.with_stores(lanes, releasing, entries, wrote, strength))

    def changed(self, lanes: tuple[Array, Array], word: Array, strength: Strength, wrote: Array) -> None:
        """Lanes, in the order in which they took effect, have made atomic operations on words."""
        releasing, entries = self._releasing(lanes, strength)
        if releasing.any() and not strength.releases:
            again = self._publishing.again(lanes, self.releases.seen(word)[0], releasing, entries)
            entries = entries.only(~again[releasing])
            releasing = releasing & ~again
        log, version = self.releases.change(word, wrote, releasing, entries)
        adds = releasing & wrote
        if adds.any() and not strength.releases:
            kept = lanes[0][adds], lanes[1][adds]
            self._publishing.added(kept, log[adds], entries.only(wrote[releasing]))
        if strength.observes:
            self._publishing.observe(lanes, (log, version), strength, self.ticks)

    def seen(self, lanes: tuple[Array, Array], word: Array, strength: Strength) -> None:
        """Lanes have read words by strong loads."""
        if not self.releases.empty:
            self._publishing.observe(lanes, self.releases.seen(word), strength, self.ticks)

    def _releasing(self, lanes: tuple[Array, Array], strength: Strength) -> tuple[Array, Entries]:
        position, thread = lanes
        if not strength.releases:
            return self._publishing.releasing(lanes, strength)
        tick = self.ticks.step()
        floors = (self._barrier[self._publishing.blocks[position]], self._warp_of(position, thread))
        row = (
            None
            if self._batch.clocks is None
            else self.releases.save(self._batch.clocks.view(position, thread))
        )
        return self._publishing.release_now(lanes, strength, tick, floors, row)

    def unordered(
        self, before: Array, agent: Array, *, exempt: Array | None = None, level: int = ACQUIRED
    ) -> Array:
        """Which accesses of `before` are neither the agent's own nor ordered before it.

        Args:
            before: Earlier agents, negative where there was none.
            agent: Who acts now.
            exempt: Those that nobody asks about.
            level: How the agent's block must know of the release: ACQUIRED, TICKET or OBSERVED.
        """
        suspects = before >= 0
        if exempt is not None:
            suspects = suspects & ~exempt
        if not suspects.any():
            return suspects
        before = np.maximum(before, 0)
        time = before >> _THREAD_BITS & _TIMES
        block, thread = before >> BLOCK_SHIFT, before & _THREADS
        own_block, own = agent >> BLOCK_SHIFT, agent & _THREADS
        same_block = block == own_block
        ordered = same_block & ((thread == own) | (self._barrier[block] >= time))
        if self._clusters is not None:
            together = self.geometry.cluster_of(block) == self.geometry.cluster_of(own_block)
            ordered |= together & (self._clusters[block] >= time)
        suspects = suspects & ~ordered
        inside = np.flatnonzero(suspects & same_block)
        if inside.size:
            suspects[inside] = ~self._inside(own_block[inside], thread[inside], own[inside], time[inside])
        across = np.flatnonzero(suspects & ~same_block)
        if across.size and not self.releases.empty:
            asked = Before(block[across], thread[across], time[across])
            suspects[across] = ~self._across(asked, own_block[across], own[across], level)
        return suspects

    def replaces(self, last: Array, agent: Array, crowd: Array) -> Array:
        """Whether a reader stands for the one before, and those beside it: it comes after all of them.

        Only what is quickly told: a barrier of the block or the warp between, or the same thread alone.
        """
        time = last >> _THREAD_BITS & _TIMES
        together = (last >= 0) & (last >> BLOCK_SHIFT == agent >> BLOCK_SHIFT)
        block = np.where(together, last >> BLOCK_SHIFT, 0)
        later = self._barrier[block] >= time
        later |= (crowd == 0) & (last & _THREADS == agent & _THREADS)
        if self._batch.warps is not None:
            warp = (last & _THREADS) // WARP
            same = (crowd < 2) & (warp == (agent & _THREADS) // WARP)
            later |= same & (
                self._batch.warps[self._position[agent >> BLOCK_SHIFT], np.where(together, warp, 0)] >= time
            )
        replaced: Array = together & later
        return replaced

    def group_known(self, before: Array, agent: Array, width: Array) -> Array:
        """Whether agents know of all that the warp (width 1) or block (2) of earlier agents did by their ticks."""
        time, block = before >> _THREAD_BITS & _TIMES, before >> BLOCK_SHIFT
        known = (block == agent >> BLOCK_SHIFT) & (self._barrier[block] >= time)
        left = np.flatnonzero(~known)
        for thread in range(self.geometry.threads if left.size else 0):
            there = (width[left] > 1) | (thread // WARP == (before[left] & _THREADS) // WARP)
            one = np.where(there, before[left] & ~np.int64(_THREADS) | thread, NOBODY)
            left = left[~self.unordered(one, agent[left])]
            if not left.size:
                break
        known[left] = True
        return known

    def _inside(self, block: Array, thread: Array, own: Array, time: Array) -> Array:
        position = self._position[block]
        if self._batch.clocks is not None:
            return self._batch.clocks.knows(self._batch.clocks.row(position), own, thread) >= time
        if self._batch.warps is None:
            return np.zeros(len(thread), np.bool_)
        return (thread // WARP == own // WARP) & (self._batch.warps[position, own // WARP] >= time)

    def _across(self, before: Before, own_block: Array, own: Array, level: int) -> Array:
        """Which accesses of other blocks the blocks' threads know of."""
        known = np.zeros(len(own), np.bool_)
        for block in np.unique(own_block).tolist():
            chosen = np.flatnonzero(own_block == block)
            for reference, who, when in self._references(block, level):
                left = chosen[~known[chosen]]
                if not left.size:
                    break
                aware = self._aware(block, own[left], who, when)
                left = left[aware]
                if left.size:
                    known[left] = self.releases.covers(*reference, before.only(left), block)
        return known

    def _references(self, block: int, level: int) -> list[tuple[tuple[int, int, int], Array, Array]]:
        """Logs that a block's threads have acquired, the latest first: length and scope, who and when."""
        thread, log, version, scope, time = self.releases.acquired_by(block)
        if level != ACQUIRED:
            place, barrier = int(self._position[block]), int(self._barrier[block])
            more = self._publishing.observed_by(place, barrier, tickets=level == TICKET)
            thread, log, version, scope, time = (
                np.concatenate(pair) for pair in zip((thread, log, version, scope, time), more, strict=True)
            )
        groups: dict[tuple[int, int, int], list[int]] = {}
        for index, key in enumerate(zip(log.tolist(), version.tolist(), scope.tolist(), strict=True)):
            groups.setdefault(key, []).append(index)
        ordered = sorted(groups.items(), key=lambda item: -int(time[item[1]].max()))
        return [(key, thread[rows], time[rows]) for key, rows in ordered]

    def _aware(self, block: int, own: Array, who: Array, when: Array) -> Array:
        """Which of a block's threads know of one of these acquires."""
        if int(when.min()) <= self._barrier[block]:
            return np.ones(len(own), np.bool_)
        aware = np.isin(own, who)
        left = np.flatnonzero(~aware)
        for thread, time in zip(who.tolist(), when.tolist(), strict=True) if left.size else ():
            many = np.full(left.size, thread)
            aware[left] |= self._inside(np.full(left.size, block), many, own[left], np.full(left.size, time))
        return aware

    def _warp_of(self, position: Array, thread: Array) -> Array:
        if self._batch.warps is None:
            return np.full(len(thread), _NEVER)
        return self._batch.warps[position, thread // WARP]


def block_of(agent: Array) -> Array:
    """Linear block of agents."""
    return agent >> BLOCK_SHIFT


def block_thread(agent: Array) -> Array:
    """Agents without their ticks."""
    return agent & ~(np.int64(_TIMES) << _THREAD_BITS)


def farthest(racing: Array, before: Array, agent: Array) -> int:
    """The first true element of a mask, one between blocks or else between warps where there is any."""
    for apart in (block_of(before) != block_of(agent), warp_of(before) != warp_of(agent)):
        if (racing & apart).any():
            return int(np.argmax(racing & apart))
    return int(np.argmax(racing))


def thread_of(agent: int) -> int:
    """Linear thread of an agent."""
    return agent & _THREADS


def warp_of(agent: Array) -> Array:
    """Block and warp of agents, as one number."""
    return (agent >> BLOCK_SHIFT) << 5 | (agent & _THREADS) // WARP
