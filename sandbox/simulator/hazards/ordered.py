"""Races in shared memory where not every barrier is the whole block's.

Kernels that copy asynchronously, or that synchronise through mbarriers or barriers of some threads only, are
watched with vector clocks: what threads know of each other moves at every synchronisation, and `History` judges
each access by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sandbox.device import Array
from sandbox.simulator.hazards.clocks import Clocks
from sandbox.simulator.hazards.history import History
from sandbox.simulator.hazards.touches import BlockLayout, Layout
from sandbox.simulator.machine.access import MemoryAccess, SyncKey
from sandbox.simulator.machine.arrivals import CLUSTER
from sandbox.simulator.machine.lanes import WARP
from sandbox.simulator.machine.state import Machine, Observer


@dataclass
class OrderedHazards(Observer):
    """Watches one batch.

    Attributes:
        granularity: Bytes of a unit: 4, or the narrowest access of the kernel.
        notes: Findings that are no failure: several threads writing the same value.
        layout: Who the agents are: threads.
    """

    granularity: int
    notes: dict[str, None]
    layout: Layout = field(default_factory=BlockLayout)
    _history: History | None = None
    _published: dict[tuple[SyncKey, bool], Array] = field(default_factory=dict[tuple[SyncKey, bool], Array])

    def global_access(self, machine: Machine, access: MemoryAccess) -> None:
        """A write to what a copy under way still reads is a fault."""
        if access.kind != "load":
            machine.copies.check_source(machine.batch, access)

    def shared_access(self, machine: Machine, access: MemoryAccess) -> None:
        """Judge the access."""
        self._of(machine).take(machine, access)
        if access.owner is not None:
            self._of(machine).elsewhere(machine, access)

    def shared_copy(self, machine: Machine, access: MemoryAccess, clock: Array) -> None:
        """A store by the thread's copies, who know what the thread knows now."""
        self._flush(machine)
        self._of(machine).take(machine, access, clock)
        self._flush(machine)

    def copies_done(self, machine: Machine, lanes: Array | None, clock: Array) -> None:
        """The threads know of their copies."""
        self._flush(machine).learn_copies(self.layout.flat(machine, lanes), self.layout.flat(machine, clock))

    def barrier(self, machine: Machine, released: Array | None, number: int | None = None) -> None:
        """Those who were released know what all of them did, and what those did who only arrived."""
        clocks = self._flush(machine)
        lanes = self.layout.flat(machine, released)
        if number is None:
            live = self.layout.flat(machine, machine.live)
            clocks.join_all(lanes & live, live)
            self._of(machine).prune(machine)
            return
        key = ("bar", number)
        if number != CLUSTER:
            self.arrive(machine, key, released, None)
        self.complete(machine, key, np.logical_or.reduce(lanes, axis=1))
        self.acquire(machine, key, released)

    def warp_barrier(self, machine: Machine) -> None:
        """`bar.warp.sync`: the active lanes of each warp know of each other."""
        clocks = self._flush(machine)
        lanes = self.layout.flat(machine, machine.mask)
        for first in range(0, clocks.threads, WARP):
            warp = np.zeros_like(lanes)
            warp[:, first : first + WARP] = lanes[:, first : first + WARP]
            if warp.any():
                clocks.join(warp)

    def arrive(self, machine: Machine, key: SyncKey, lanes: Array | None, copies: Array | None) -> None:
        """What the lanes know is known to whoever waits for this phase; `copies` alone where it is given."""
        clocks = self._flush(machine)
        flat = self.layout.flat(machine, lanes)
        if copies is None:
            together = clocks.publish(flat)
        else:
            done = np.where(flat, self.layout.flat(machine, copies), 0)
            together = np.concatenate([np.zeros_like(done), done], axis=1)
        before = self._published.get((key, True))
        self._published[key, True] = together if before is None else np.maximum(before, together)

    def complete(self, machine: Machine, key: SyncKey, blocks: Array) -> None:
        """The phase is over: what was gathered can be acquired from now on."""
        pending = self._published.pop((key, True), None)
        if pending is None:
            return
        over = np.where(blocks.reshape(-1, 1), pending, 0)
        left = np.where(blocks.reshape(-1, 1), 0, pending)
        before = self._published.get((key, False))
        self._published[key, False] = over if before is None else np.maximum(before, over)
        if left.any():
            self._published[key, True] = left

    def acquire(self, machine: Machine, key: SyncKey, lanes: Array | None) -> None:
        """The lanes know what those knew who arrived in the phases that are over."""
        clocks = self._flush(machine)
        found = self._published.get((key, False))
        if found is not None:
            clocks.learn(self.layout.flat(machine, lanes), found)

    def finish(self, machine: Machine) -> None:
        """Judge the writes since the last synchronisation."""
        self._flush(machine)

    def _of(self, machine: Machine) -> History:
        if self._history is None:
            clocks = Clocks(self.layout.agents(machine), self.layout.groups(machine))
            units = self.layout.units(machine, self.granularity)
            self._history = History(self.layout, clocks, self.granularity, units, self.notes)
        return self._history

    def _flush(self, machine: Machine) -> Clocks:
        """Judge what came before clocks move."""
        history = self._of(machine)
        history.flush(machine)
        return history.clocks
