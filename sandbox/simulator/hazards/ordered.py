"""Races in shared memory where not every barrier is the whole block's.

What threads know of each other is kept in vector clocks, which move at every synchronisation, and `History` judges
each access by it. Blocks whose threads meet at barriers of the whole block and of whole warps alone are first watched
by `SharedHazards`, which is faster and never misses what this finds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sandbox.device import Array
from sandbox.simulator.hazards.clocks import Clocks
from sandbox.simulator.hazards.findings import Findings
from sandbox.simulator.hazards.handovers import Handovers
from sandbox.simulator.hazards.history import History
from sandbox.simulator.hazards.order import LaunchOrder
from sandbox.simulator.hazards.strength import Strengths, fence_of
from sandbox.simulator.hazards.touches import BlockLayout, Layout
from sandbox.simulator.machine.access import MemoryAccess, SyncKey
from sandbox.simulator.machine.arrivals import CLUSTER
from sandbox.simulator.machine.lanes import EVERYONE, WARP
from sandbox.simulator.machine.state import Machine, Observer
from sandbox.simulator.ptx.syntax import Instruction


@dataclass
class OrderedHazards(Observer):
    """Watches one batch.

    Attributes:
        granularity: Bytes of a unit: 4, or the narrowest access of the kernel.
        findings: Of the run.
        order: Of the launch.
        strengths: Of the kernel's instructions.
        layout: Who the agents are: threads.
    """

    granularity: int
    findings: Findings
    order: LaunchOrder
    strengths: Strengths
    layout: Layout = field(default_factory=BlockLayout)
    _history: History | None = None
    _handovers: Handovers | None = None
    _published: dict[tuple[SyncKey, bool], Array] = field(default_factory=dict[tuple[SyncKey, bool], Array])

    def attach(self, machine: Machine) -> None:
        """Give the order of global memory what the batch's threads know of each other."""
        self.order.attach(machine, self._of(machine).clocks)

    def global_access(self, machine: Machine, access: MemoryAccess) -> None:
        """A write to what a copy under way still reads is a fault."""
        if access.kind != "load":
            machine.copies.check_source(machine.batch, access)
        self._told("global", machine, access)

    def shared_access(self, machine: Machine, access: MemoryAccess) -> None:
        """Judge the access."""
        self._of(machine).take(machine, access)
        if access.owner is not None:
            self._of(machine).elsewhere(machine, access)
        else:
            self._told("shared", machine, access)

    def shared_atomic(self, machine: Machine, access: MemoryAccess, wrote: Array | None) -> None:
        """Atomic operations have taken effect: what they release and observe."""
        if access.owner is None:
            self._changed("shared", machine, access, wrote)

    def global_atomic(self, machine: Machine, access: MemoryAccess, wrote: Array | None) -> None:
        """The same in global memory."""
        self._changed("global", machine, access, wrote)

    def fence(self, machine: Machine, instruction: Instruction) -> None:
        """A fence of any scope orders the threads of a block."""
        self._flush(machine)
        lanes = self.order.lanes(machine, machine.active)
        self._talk(machine).fence(lanes, fence_of(instruction.opcode, instruction.modifiers))

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

    def warp_barrier(self, machine: Machine, members: Array) -> None:
        """`bar.warp.sync`: the active lanes of each warp that have one member mask know of each other."""
        clocks = self._flush(machine)
        lanes = self.layout.flat(machine, machine.mask)
        masks = np.broadcast_to(self.layout.flat(machine, members), lanes.shape)
        for first in range(0, clocks.threads, WARP):
            here = slice(first, min(first + WARP, clocks.threads))
            for mask in np.unique(masks[:, here][lanes[:, here]]).tolist():
                named = mask >> np.arange(here.stop - first) & 1 == 1
                warp = np.zeros_like(lanes)
                warp[:, here] = lanes[:, here] & (masks[:, here] == mask) & named
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

    def _told(self, space: str, machine: Machine, access: MemoryAccess) -> None:
        """What a load observes or a store releases."""
        how = self.strengths.of(access.instruction)
        if access.kind == "load":
            concerned = how.observes and self._handovers is not None
        else:
            concerned = access.kind == "store" and (how.strong or self._handovers is not None)
        if not concerned:
            return
        lanes, word = self._words(machine, access)
        if access.kind == "store":
            self._flush(machine)
            self._talk(machine).written(space, lanes, word, how)
        elif self._handovers is not None:
            self._flush(machine)
            self._handovers.seen(space, lanes, word, how)

    def _changed(self, space: str, machine: Machine, access: MemoryAccess, wrote: Array | None) -> None:
        self._flush(machine)
        lanes, word = self._words(machine, access)
        position, thread = lanes
        done = np.broadcast_to(EVERYONE if wrote is None else wrote, machine.shape)
        done = done.reshape(-1, machine.blocks)[thread, position]
        self._talk(machine).changed(space, lanes, word, self.strengths.of(access.instruction), done)

    def _words(self, machine: Machine, access: MemoryAccess) -> tuple[tuple[Array, Array], Array]:
        lanes = self.order.lanes(machine, EVERYONE if access.mask is None else access.mask)
        position, thread = lanes
        offsets = np.broadcast_to(access.offsets, machine.shape).reshape(-1, machine.blocks)
        return lanes, offsets[thread, position] >> 2

    def _talk(self, machine: Machine) -> Handovers:
        if self._handovers is None:
            self._handovers = Handovers(self._of(machine).clocks)
        return self._handovers

    def _of(self, machine: Machine) -> History:
        if self._history is None:
            clocks = Clocks(self.layout.agents(machine), self.layout.groups(machine), self.order.ticks)
            units = self.layout.units(machine, self.granularity)
            self._history = History(
                self.layout, clocks, self.granularity, units, self.findings, self.strengths
            )
        return self._history

    def _flush(self, machine: Machine) -> Clocks:
        """Judge what came before clocks move."""
        history = self._of(machine)
        history.flush(machine)
        return history.clocks
