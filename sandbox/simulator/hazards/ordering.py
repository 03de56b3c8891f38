"""Which accesses to global memory are ordered before which: barriers, warp barriers, and fences with atomics.

An agent is one number: linear block, time of the access, thread. The time is a count of synchronisation events
of the launch, so two accesses with no such event between them have the same time.
"""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.machine.lanes import WARP, Geometry, by_warp
from sandbox.simulator.machine.state import Machine

_THREAD_BITS, _TIME_BITS = 10, 28
BLOCK_SHIFT = _THREAD_BITS + _TIME_BITS
_THREADS = (1 << _THREAD_BITS) - 1
_TIMES = (1 << _TIME_BITS) - 1
NOBODY = np.int64(-1)
_NEVER = -1


class Ordering:
    """What has synchronised with what so far in one launch.

    Two accesses of one block are ordered by a barrier of the block between them, of one warp by `__syncwarp`.
    Otherwise the first is ordered before the second where it was published, by a fence of its own thread or by
    a barrier and then a fence in its block, and the second's thread, or before a barrier its block, has since
    done an atomic operation or an acquire (CUDA C++ Programming Guide, "Memory Fence Functions": the last block
    to finish, locks, and grid barriers). An atomic operation publishes itself.
    """

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._now = 1
        blocks = geometry.blocks
        self._barrier = np.full(blocks, _NEVER, dtype=np.int64)
        self._published = np.full(blocks, _NEVER, dtype=np.int64)
        self._acquired = np.full(blocks, _NEVER, dtype=np.int64)
        self._latest = np.full(blocks, _NEVER, dtype=np.int64)
        self._clusters: Array | None = None
        self._previous = np.full(blocks, _NEVER, dtype=np.int64)
        self._turns = np.zeros((2, blocks), dtype=np.int64)
        self._warps: Array | None = None
        self._fences: Array | None = None
        self._inner: Array | None = None
        self._acquires: Array | None = None

    def agents(self, blocks: Array, threads: Array) -> Array:
        """The agents that act now, of linear blocks and linear threads."""
        return (blocks << BLOCK_SHIFT) | (self._now << _THREAD_BITS) | threads

    def barrier(self, blocks: Array) -> None:
        """Barriers of these blocks open."""
        self._now += 1
        self._barrier[blocks] = self._now
        self._acquired[blocks] = self._latest[blocks]
        self._now += 1

    def cluster_barrier(self, blocks: Array) -> None:
        """The barrier of the clusters of these blocks opens."""
        if self._clusters is None:
            self._clusters = np.full(self._geometry.blocks, _NEVER, dtype=np.int64)
        self._now += 1
        self._clusters[blocks] = self._now
        self.barrier(blocks)

    def warp_barrier(self, machine: Machine) -> None:
        """The active lanes pass a barrier of their warp."""
        if self._warps is None:
            self._warps = np.full((self._geometry.blocks, self._geometry.warps), _NEVER, dtype=np.int64)
        self._now += 1
        active = by_warp(machine.active, self._geometry, fill=False).any(axis=1)
        taking_part = np.broadcast_to(active, (self._geometry.warps, machine.blocks)).T
        rows = self._warps[machine.batch.blocks]
        self._warps[machine.batch.blocks] = np.where(taking_part, self._now, rows)

    def fence(self, machine: Machine, *, inner: bool = False) -> None:
        """The active lanes publish what they did, and what their block did before its last barrier.

        Args:
            machine: Of the active lanes.
            inner: To their own block alone (`__threadfence_block`).
        """
        thread, column = _lanes_of(machine, machine.active)
        if inner:
            self._inner = self._stamp(machine, self._inner, thread, column)
            return
        self._fences = self._stamp(machine, self._fences, thread, column)
        blocks = _of_active(machine)
        self._published[blocks] = self._barrier[blocks]

    def acquire(self, machine: Machine, lanes: Array) -> None:
        """These lanes, broadcastable to the machine's shape, do an atomic operation or an acquire."""
        thread, column = _lanes_of(machine, lanes)
        self._acquires = self._stamp(machine, self._acquires, thread, column)
        blocks = np.unique(machine.batch.blocks[column])
        self._previous[blocks] = self._latest[blocks]
        self._latest[blocks] = self._now
        block = machine.batch.blocks[column]
        # Threads ascend: of the assignments to one block the last one stays.
        self._turns[0, block[::-1]] = (thread * machine.blocks + column)[::-1]
        self._turns[1, block] = thread * machine.blocks + column
        if machine.backwards:
            last = self._geometry.threads - 1
            self._turns[1, block[::-1]] = ((last - thread) * machine.blocks + column)[::-1]
            self._turns[0, block] = (last - thread) * machine.blocks + column

    def unordered(self, before: Array, agent: Array, atomic: Array | bool = False) -> Array:
        """Which accesses of `before` are neither the agent's own nor ordered before it.

        Args:
            before: Earlier agents, negative where there was none.
            agent: Who acts now.
            atomic: Whether the earlier access was an atomic operation.
        """
        known = before >= 0
        if not known.any():
            return known
        before = np.maximum(before, 0)
        time = before >> _THREAD_BITS & _TIMES
        block, thread = before >> BLOCK_SHIFT, before & _THREADS
        own_block, own = agent >> BLOCK_SHIFT, agent & _THREADS
        same_block = block == own_block
        ordered = same_block & ((thread == own) | (self._barrier[block] > time))
        if self._clusters is not None:
            together = self._geometry.cluster_of(block) == self._geometry.cluster_of(own_block)
            ordered |= together & (self._clusters[block] > time)
        if self._warps is not None:
            ordered |= (
                same_block & (thread // WARP == own // WARP) & (self._warps[block, thread // WARP] > time)
            )
        suspects = known & ~ordered
        if suspects.any() and self._acquires is not None:
            published = (self._published[block] > time) | atomic
            if self._fences is not None:
                published = published | (self._fences[block, thread] > time)
            if self._inner is not None:
                published = published | (same_block & (self._inner[block, thread] > time))
            seen = (self._acquires[own_block, own] >= time) | (self._acquired[own_block] >= time)
            too_early = ~same_block & self._before(own_block, block, time)
            suspects = suspects & (~(published & seen) | too_early)
        return suspects

    def _before(self, own: Array, other: Array, time: Array) -> Array:
        """Whether the one atomic since `time` of a block came before that of another, in one instruction of both."""
        same = self._latest[own] == self._latest[other]
        only = (self._previous[own] < time) & (self._previous[other] < time)
        return same & only & (self._turns[1, own] < self._turns[0, other])

    def same_interval(self, before: Array, agent: Array) -> Array:
        """Whether the agent's block has had no barrier since `before`, an access of that block."""
        before_time = np.maximum(before, 0) >> _THREAD_BITS & _TIMES
        same_block = (before >= 0) & (before >> BLOCK_SHIFT == agent >> BLOCK_SHIFT)
        return same_block & (self._barrier[agent >> BLOCK_SHIFT] <= before_time)

    def after_all(self, agent: Array) -> Array:
        """Whether the agent came after a synchronisation with every other block."""
        if self._fences is None or self._acquires is None or not (self._fences >= 0).any(axis=1).all():
            return np.zeros(agent.shape, dtype=np.bool_)
        block = agent >> BLOCK_SHIFT
        return (self._acquires[block, agent & _THREADS] >= 0) | (self._acquired[block] >= 0)

    def _stamp(self, machine: Machine, table: Array | None, thread: Array, column: Array) -> Array:
        """Write the time into a table by block and thread, in some lanes."""
        if table is None:
            table = np.full((self._geometry.blocks, self._geometry.threads), _NEVER, dtype=np.int32)
        self._now += 1
        table[machine.batch.blocks[column], thread] = self._now
        self._now += 1
        return table


def block_of(agent: Array) -> Array:
    """Linear block of agents."""
    return agent >> BLOCK_SHIFT


def thread_of(agent: int) -> int:
    """Linear thread of an agent."""
    return agent & _THREADS


def _of_active(machine: Machine) -> Array:
    """Linear blocks that have an active lane."""
    return machine.batch.blocks[np.broadcast_to(machine.active.any(axis=(0, 1)), (machine.blocks,))]


def _lanes_of(machine: Machine, lanes: Array) -> tuple[Array, Array]:
    """Linear thread, ascending, and column of the batch of every lane of a mask."""
    return np.divmod(np.flatnonzero(np.broadcast_to(lanes, machine.shape)), machine.blocks)
