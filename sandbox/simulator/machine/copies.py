"""Asynchronous copies to shared memory that are under way (PTX ISA 9.0, sections 9.7.9.25.3 and 9.7.9.25.4).

The source is read when the copy is issued, and shared memory is written when its thread waits, or when a thread looks
whether the phase of the mbarrier is over that the copy counts at: what is read there in between is what was there
before. Hazard checks report such reads, and writes to the source in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from sandbox.device import Array
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.faults import Batch, FaultError
from sandbox.simulator.machine.lanes import EVERYONE
from sandbox.verdict import Verdict

_ZERO = np.zeros((1, 1, 1), dtype=np.int64)


@dataclass
class Copy:
    """One cp.async of a batch, or 16 bytes of a bulk copy.

    Arrays are lane-shaped; `lanes` are those whose copy is still under way.

    Attributes:
        store: Where it goes, checked.
        source: Byte offsets in global memory, as `Arena.view` counts.
        read: Bytes that are read from there; the rest is zeros.
        words: The data, 32-bit words.
        group: Which cp.async-group of its thread it belongs to; of a bulk copy, `Copies.clock` when it was issued.
    """

    store: MemoryAccess
    source: Array
    read: Array
    words: list[Array]
    group: Array
    lanes: Array


@dataclass
class Groups:
    """The async-groups of every thread.

    Attributes:
        committed: How many each thread has committed.
        ends: `Copies.clock` at the end of each.
    """

    committed: Array = field(default_factory=lambda: _ZERO)
    ends: list[Array] = field(default_factory=list[Array])

    def commit(self, active: Array, clock: Array) -> None:
        """Close the group of each active thread."""
        number = int(self.committed.max())
        numbers: list[int] = np.unique(np.where(active, self.committed, -1)).tolist()
        for n in numbers:
            if 0 <= n < number:
                self.ends[n] = np.where(active & (self.committed == n), clock, self.ends[n])
            elif n == number:
                self.ends.append(clock)
        self.committed = self.committed + active

    def end_of(self, group: Array) -> Array:
        """The clock of each thread at the end of a group of its own; 0 for negative ones."""
        found = _ZERO
        numbers: list[int] = np.unique(group).tolist()
        for n in numbers:
            if n >= 0:
                found = np.where(group == n, self.ends[n], found)
        return found


@dataclass
class Copies:
    """The copies of one batch.

    Attributes:
        groups: Of cp.async.
        bulk_groups: Of cp.async.bulk.
        clock: Numbers the copies of a thread: grows with every commit, and with every bulk copy.
        under_way: What threads wait for in groups.
        counted: What counts at the mbarrier at a byte offset of shared memory.
    """

    groups: Groups = field(default_factory=Groups)
    bulk_groups: Groups = field(default_factory=Groups)
    clock: Array = field(default_factory=lambda: _ZERO + 1)
    under_way: list[Copy] = field(default_factory=list[Copy])
    counted: dict[int, list[Copy]] = field(default_factory=dict[int, list[Copy]])

    def tick(self, active: Array) -> Array:
        """What active threads copy next is later; the clock until now."""
        before = self.clock
        self.clock = before + active
        return before

    def finish(self, active: Array, before: Array | None) -> list[tuple[Copy, Array]]:
        """Take out the copies of active threads in groups below `before` (None: all), with those threads."""
        finished, self.under_way = _taken(self.under_way, active, before)
        return finished

    def finish_counted(self, offset: int, blocks: Array) -> list[tuple[Copy, Array]]:
        """Take out what some blocks, bool of shape (1, 1, B), copy for an mbarrier, with the threads that do."""
        finished, self.counted[offset] = _taken(self.counted.get(offset, []), blocks, None)
        return finished

    def check_source(self, batch: Batch, access: MemoryAccess) -> None:
        """A write to what a copy under way still reads is a race.

        Raises:
            FaultError: It is one.
        """
        if not self.under_way and not self.counted:
            return
        low, high = int(access.offsets.min()), int(access.offsets.max()) + access.size
        for copy in chain(self.under_way, *self.counted.values()):
            if low >= int(copy.source.max()) + 16 or high <= int(copy.source.min()):
                continue
            lanes = EVERYONE if access.mask is None else access.mask
            written = np.unique(
                np.broadcast_to(access.offsets, batch.shape)[np.broadcast_to(lanes, batch.shape)]
            )
            start = np.broadcast_to(copy.source, batch.shape)
            first = np.minimum(np.searchsorted(written, start - access.size + 1), written.size - 1)
            hit = (written[first] > start - access.size) & (written[first] < start + copy.read) & copy.lanes
            if hit.any():
                what = (
                    f"race on global memory: written at line {access.instruction.line} while the copy of line "
                    f"{copy.store.instruction.line} from there has not been waited for"
                )
                raise FaultError(batch.fault(Verdict.RACE, what, access.instruction, hit))


def _taken(
    copies: list[Copy], lanes: Array, before: Array | None
) -> tuple[list[tuple[Copy, Array]], list[Copy]]:
    """The copies of some lanes in groups below `before`, with those lanes, and what is left."""
    finished: list[tuple[Copy, Array]] = []
    for copy in copies:
        done = copy.lanes & lanes
        if before is not None:
            done = done & (copy.group < before)
        if done.any():
            finished.append((copy, done))
            copy.lanes = copy.lanes & ~done
    return finished, [copy for copy in copies if copy.lanes.any()]
