"""Races between the blocks of a cluster in each other's shared memory.

Here whole blocks are agents, and a cluster's shared memory is one: the threads of a block among each other are
`OrderedHazards`' concern. Blocks are ordered by `barrier.cluster` and by arriving at each other's mbarriers.
"""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.hazards.clocks import Clocks
from sandbox.simulator.hazards.findings import Findings
from sandbox.simulator.hazards.order import LaunchOrder
from sandbox.simulator.hazards.ordered import OrderedHazards
from sandbox.simulator.hazards.strength import Strengths
from sandbox.simulator.hazards.touches import (
    Deed,
    RaceSite,
    SharedRace,
    Touch,
    by_thread,
    race,
    shared_place,
    shared_units,
)
from sandbox.simulator.machine.access import MemoryAccess, SyncKey
from sandbox.simulator.machine.arrivals import CLUSTER
from sandbox.simulator.machine.clusters import RANKS, REMOTE
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import EVERYONE
from sandbox.simulator.machine.state import Machine
from sandbox.simulator.ptx.syntax import Instruction
from sandbox.verdict import Verdict

_BARRIER_OBJECTS = frozenset({"mbarrier"})


class ClusterLayout:
    """The blocks of a cluster are agents, and share the memory of all of them."""

    def groups(self, machine: Machine) -> int:
        """Clusters."""
        return machine.blocks // machine.batch.geometry.cluster_size

    def agents(self, machine: Machine) -> int:
        """Blocks of a cluster."""
        return machine.batch.geometry.cluster_size

    def units(self, machine: Machine, granularity: int) -> int:
        """Units of all of its blocks, one after another."""
        return self.agents(machine) * shared_units(machine, granularity)

    def flat(self, machine: Machine, values: Array | None) -> Array:
        """By block: any, or the highest, of its threads."""
        return np.maximum.reduce(self._by_rank(machine, by_thread(machine, values)), axis=2)

    def touches(
        self, machine: Machine, access: MemoryAccess, granularity: int, clocks: Clocks, copies: Array | None
    ) -> list[Touch]:
        """One element for each unit and block, however many threads touch it."""
        owner = machine.shared.block_index.reshape(1, 1, -1) if access.owner is None else access.owner
        owner = owner % clocks.threads
        unit = owner * shared_units(machine, granularity) + access.offsets // granularity
        units = self._by_rank(machine, by_thread(machine, unit))
        mask = self._by_rank(machine, by_thread(machine, access.mask))
        shape = np.broadcast_shapes(units.shape, mask.shape)
        group, rank, thread = np.nonzero(np.broadcast_to(mask, shape))
        unit = np.broadcast_to(units, shape)[group, rank, thread]
        key = (unit * shape[0] + group) * clocks.threads + rank
        first = np.unique(key, return_index=True)[1]
        unit, group, rank, thread = unit[first], group[first], rank[first], thread[first]
        now = clocks.now
        if shape[0] == 1:
            where, time = None, now[:, rank].T
        else:
            where, time = group, now[group if len(now) > 1 else 0, rank][:, None]
        return [
            Touch(access, k * granularity, unit + k, rank, thread, where, rank, time)
            for k in range(max(1, access.size // granularity))
        ]

    def race(
        self, machine: Machine, granularity: int, before: Deed, touch: Touch, where: RaceSite
    ) -> SharedRace:
        """Between blocks of a cluster."""
        place = self.place(machine, granularity, int(touch.unit[where.lane]))
        reason = where.reason or "blocks of one cluster: put cluster.sync() between"
        sides = [
            self.agent(machine, where.group, agent % self.agents(machine), lane)
            for agent, lane in (
                (before.agent, 0),
                (int(touch.thread[where.lane]), int(touch.lane[where.lane])),
            )
        ]
        return race(machine, place, (before, sides[0]), (touch, sides[1]), reason)

    def place(self, machine: Machine, granularity: int, unit: int) -> tuple[str, int]:
        """The variable's name, the byte in it, and whose it is."""
        rank, unit = divmod(unit, shared_units(machine, granularity))
        byte = unit * granularity
        return f"{shared_place(machine, byte)} of the block of rank {rank}", byte

    def agent(self, machine: Machine, group: int, agent: int, lane: int) -> tuple[int, int]:
        """The block of that rank, and the lane."""
        return int(machine.batch.blocks[group * self.agents(machine) + agent]), lane

    def _by_rank(self, machine: Machine, flat: Array) -> Array:
        """(blocks or 1, T) as (clusters or 1, blocks of one, T)."""
        size = self.agents(machine)
        if len(flat) == 1:
            return np.broadcast_to(flat, (size, flat.shape[1]))[None]
        grouped = flat.reshape(-1, size, flat.shape[1])
        return grouped[:1] if (grouped == grouped[:1]).all() else grouped


class ClusterHazards(OrderedHazards):
    """Watches one batch of whole clusters."""

    def __init__(
        self, granularity: int, findings: Findings, order: LaunchOrder, strengths: Strengths
    ) -> None:
        super().__init__(granularity, findings, order, strengths, layout=ClusterLayout())
        self._started: Array | None = None

    def attach(self, machine: Machine) -> None:
        """Nothing: the order of global memory goes by threads."""

    def global_access(self, machine: Machine, access: MemoryAccess) -> None:
        """Nothing: blocks share global memory with all blocks."""

    def global_atomic(self, machine: Machine, access: MemoryAccess, wrote: Array | None) -> None:
        """Nothing, likewise."""

    def shared_atomic(self, machine: Machine, access: MemoryAccess, wrote: Array | None) -> None:
        """Nothing: blocks are ordered by barriers of the cluster and by mbarriers."""

    def fence(self, machine: Machine, instruction: Instruction) -> None:
        """Nothing, likewise."""

    def shared_access(self, machine: Machine, access: MemoryAccess) -> None:
        """Judge the access."""
        if access.owner is not None:
            self._check_started(machine, access, access.owner)
        if access.instruction.opcode not in _BARRIER_OBJECTS:
            self._of(machine).take(machine, access)

    def shared_copy(self, machine: Machine, access: MemoryAccess, clock: Array) -> None:
        """A copy counts as a store here."""
        self._of(machine).take(machine, access)

    def copies_done(self, machine: Machine, lanes: Array | None, clock: Array) -> None:
        """Nothing: a block knows of its copies."""

    def barrier(self, machine: Machine, released: Array | None, number: int | None = None) -> None:
        """Only the cluster's barrier orders blocks."""
        if number == CLUSTER:
            lanes = EVERYONE if released is None else released
            passed = np.broadcast_to(lanes.any(axis=(0, 1)), (machine.blocks,))
            self._started = passed if self._started is None else self._started | passed
            super().barrier(machine, released, number)
            self._of(machine).prune(machine)

    def warp_barrier(self, machine: Machine, members: Array) -> None:
        """Nothing: a block is one agent."""

    def arrive(self, machine: Machine, key: SyncKey, lanes: Array | None, copies: Array | None) -> None:
        """Arrivals at the cluster's barrier, and at other blocks' mbarriers."""
        if key == ("bar", CLUSTER) or key[0] == REMOTE:
            super().arrive(machine, key, lanes, None)

    def complete(self, machine: Machine, key: SyncKey, blocks: Array) -> None:
        """A phase of the cluster's barrier is over, or one of an mbarrier in some blocks."""
        if key[0] != "mbarrier":
            super().complete(machine, key, blocks)
            return
        size = machine.batch.geometry.cluster_size
        for rank in range(size):
            super().complete(machine, (REMOTE, key[1] * RANKS + rank), blocks.reshape(-1, size)[:, rank])

    def acquire(self, machine: Machine, key: SyncKey, lanes: Array | None) -> None:
        """Lanes go on behind the cluster's barrier, or see a phase of their own block's mbarrier over."""
        if key[0] != "mbarrier":
            super().acquire(machine, key, lanes)
            return
        size = machine.batch.geometry.cluster_size
        ranks = machine.shared.block_index % size
        for rank in range(size):
            mine = np.broadcast_to(ranks == rank, (1, 1, machine.blocks))
            mine = mine if lanes is None else mine & lanes
            super().acquire(machine, (REMOTE, key[1] * RANKS + rank), mine)

    def _check_started(self, machine: Machine, access: MemoryAccess, owner: Array) -> None:
        """A block's shared memory exists from its start on, which only a barrier of the cluster vouches for.

        CUDA C++ Programming Guide, "Distributed Shared Memory": all blocks must have started executing.
        """
        waits = np.ones(machine.blocks, np.bool_) if self._started is None else ~self._started
        early = (owner != machine.shared.block_index) & waits
        early = early if access.mask is None else early & access.mask
        if early.any():
            what = (
                "shared memory of another block of the cluster before a barrier of the cluster: that block may not "
                "have started; call cluster.sync() first"
            )
            raise FaultError(machine.batch.fault(Verdict.RACE, what, access.instruction, early))

    def finish(self, machine: Machine) -> None:
        """Judge what is left, and what touched the memory of a block that may have ended."""
        history = self._of(machine)
        history.flush(machine)
        units = shared_units(machine, self.granularity)
        history.unseen(machine, lambda unit: unit // units)
