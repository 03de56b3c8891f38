"""Asynchronous copies to shared memory that are under way (PTX ISA 9.0, section 9.7.9.25.3).

The source is read when the copy is issued, and shared memory is written when its thread waits: what is read there
in between is what was there before. Hazard checks report such reads, and writes to the source in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sandbox.device import Array
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.faults import Batch, FaultError
from sandbox.simulator.machine.lanes import EVERYONE
from sandbox.verdict import Verdict

_ZERO = np.zeros((1, 1, 1), dtype=np.int64)


@dataclass
class Copy:
    """One cp.async of a batch. Arrays are lane-shaped; `lanes` are those whose copy is still under way.

    Attributes:
        store: Where it goes, checked.
        source: Byte offsets in global memory, as `Arena.view` counts.
        read: Bytes that are read from there; the rest is zeros.
        words: The data, 32-bit words.
        group: Which cp.async-group of its thread it belongs to.
    """

    store: MemoryAccess
    source: Array
    read: Array
    words: list[Array]
    group: Array
    lanes: Array


@dataclass
class Copies:
    """The copies of one batch.

    Attributes:
        groups: How many groups each thread has committed.
        clock: Numbers the copies of a thread: grows with every commit.
        history: `clock` at the end of each group.
    """

    groups: Array = field(default_factory=lambda: _ZERO)
    clock: Array = field(default_factory=lambda: _ZERO + 1)
    history: list[Array] = field(default_factory=list[Array])
    under_way: list[Copy] = field(default_factory=list[Copy])

    def commit(self, active: Array) -> None:
        """Close the group of each active thread."""
        number = int(self.groups.max())
        numbers: list[int] = np.unique(np.where(active, self.groups, -1)).tolist()
        for n in numbers:
            if 0 <= n < number:
                self.history[n] = np.where(active & (self.groups == n), self.clock, self.history[n])
            elif n == number:
                self.history.append(self.clock)
        self.groups = self.groups + active
        self.clock = self.clock + active

    def end_of(self, group: Array) -> Array:
        """`clock` of each thread at the end of a group of its own; 0 for negative ones."""
        found = _ZERO
        numbers: list[int] = np.unique(group).tolist()
        for n in numbers:
            if n >= 0:
                found = np.where(group == n, self.history[n], found)
        return found

    def finish(self, active: Array, before: Array | None) -> list[tuple[Copy, Array]]:
        """Take out the copies of active threads in groups below `before` (None: all), with those threads."""
        finished: list[tuple[Copy, Array]] = []
        for copy in self.under_way:
            done = copy.lanes & active
            if before is not None:
                done = done & (copy.group < before)
            if done.any():
                finished.append((copy, done))
                copy.lanes = copy.lanes & ~done
        self.under_way = [copy for copy in self.under_way if copy.lanes.any()]
        return finished

    def check_source(self, batch: Batch, access: MemoryAccess) -> None:
        """A write to what a copy under way still reads is a race.

        Raises:
            FaultError: It is one.
        """
        if not self.under_way:
            return
        low, high = int(access.offsets.min()), int(access.offsets.max()) + access.size
        for copy in self.under_way:
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
