"""Device memory: one arena, a table of allocations, guard zones between them; every access is checked."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from sandbox.device import Array
from sandbox.simulator.machine.surroundings import Surroundings
from sandbox.simulator.ptx.types import S64, U8, U16, U32, U64

ALIGNMENT = 256
GUARD = 4096


@dataclass(frozen=True)
class Allocation:
    """A buffer in the arena: bytes [start, end) of global memory; `label` describes it in messages."""

    name: str
    start: int
    end: int
    label: str


class Arena:
    """Global memory of one run. Pages that nothing touches cost nothing.

    Replicas of a grid see the same addresses, each in memory of its own: `extent` bytes after that
    of the one before.

    Args:
        sizes: Buffer names and sizes in bytes, in order.
        labels: How messages call a buffer, for example `x (float32[1000])`.
        surroundings: What says where buffers lie.
        replicas: How many grids have such memory.
    """

    replicas: int = 1

    def __init__(
        self, sizes: dict[str, int], labels: dict[str, str], surroundings: Surroundings, replicas: int = 1
    ) -> None:
        self.replicas = replicas
        self._place(sizes, labels, ALIGNMENT, surroundings)
        self._hold(np.zeros(self.extent * replicas, dtype=U8))

    def _place(
        self, sizes: dict[str, int], labels: dict[str, str], alignment: int, surroundings: Surroundings
    ) -> None:
        """Lay buffers out in an unknown order, guard zones of unknown width between; `extent` is where they end."""
        self.windows = surroundings.windows
        self.allocations: dict[str, Allocation] = {}
        position = GUARD
        for name, gap in surroundings.buffers(sizes, alignment):
            size, position = sizes[name], position + gap
            self.allocations[name] = Allocation(name, position, position + size, labels.get(name, name))
            position = -(-(position + size) // alignment) * alignment + GUARD
        self.extent = -(-position // 16) * 16
        ordered = list(self.allocations.values())
        self._starts = [allocation.start for allocation in ordered]
        self._ends = [allocation.end for allocation in ordered]
        self._start_array = np.array(self._starts or [0], dtype=S64)
        self._end_array = np.array(self._ends or [0], dtype=S64)
        self._ordered = ordered
        self._touched: tuple[Array | None, list[Allocation]] = None, []

    def _hold(self, data: Array) -> None:
        """Keep the contents in these bytes."""
        self.bytes = data
        self._views: dict[int, Array] = {1: data}
        self._views |= {t.itemsize: data.view(t) for t in (U16, U32, U64)}

    def locate(self, offsets: Array) -> Array:
        """Where in `view` the bytes at checked offsets lie, of the first replica: here at those very offsets."""
        return offsets

    def offsets(self, located: Array) -> Array:
        """The offsets of located bytes, whichever replica's they are."""
        return located if self.replicas == 1 else located % self.extent

    def address(self, name: str) -> int:
        """Device address of a buffer."""
        return self.windows.buffers + self.allocations[name].start

    def buffer(self, name: str) -> Array:
        """The bytes of a buffer, of the first replica's, a view."""
        allocation = self.allocations[name]
        return self.bytes[allocation.start : allocation.end]

    def buffers(self, name: str) -> Array:
        """The bytes of a buffer of every replica, a view of shape (replicas, bytes)."""
        allocation = self.allocations[name]
        return self.bytes.reshape(self.replicas, -1)[:, allocation.start : allocation.end]

    def view(self, size: int) -> Array:
        """All contents as unsigned integers of `size` bytes; index it with what `locate` returned."""
        return self._views[size]

    def contains(self, low: int, high: int) -> bool:
        """Whether the bytes [low, high) of global memory lie in one allocation."""
        position = bisect_right(self._starts, low) - 1
        return position >= 0 and high <= self._ends[position]

    def outside(self, offsets: Array, size: int) -> Array:
        """Which accesses of `size` bytes leave their allocation; bool, shape of `offsets`."""
        position = np.searchsorted(self._start_array, offsets, side="right") - 1
        safe = np.maximum(position, 0)
        return (position < 0) | (offsets + size > self._end_array[safe]) | (offsets < self._start_array[safe])

    def nearest(self, offset: int) -> Allocation | None:
        """The allocation whose bytes lie closest to an offset; None where there is none."""
        after = bisect_right(self._starts, offset)
        if after == 0:
            return self._ordered[0] if self._ordered else None
        before = self._ordered[after - 1]
        if offset < before.end or after == len(self._ordered):
            return before
        following = self._ordered[after]
        return before if offset - before.end + 1 <= following.start - offset else following

    def touched(self, located: Array) -> list[Allocation]:
        """The allocations that hold some located bytes; each must lie in one."""
        known, found = self._touched
        if located is not known:
            found = self._holding(located)
            self._touched = located, found
        return found

    def touch(self, located: Array, low: int) -> None:
        """Know what an access touches before observers ask: all in the allocation of its lowest offset."""
        self._touched = located, [self._ordered[bisect_right(self._starts, low) - 1]]

    def _holding(self, located: Array) -> list[Allocation]:
        offsets = self.offsets(located)
        if not offsets.size:
            return []
        low, high = int(offsets.min()), int(offsets.max())
        first = bisect_right(self._starts, low) - 1
        if high < self._ends[first]:
            return [self._ordered[first]]
        positions = np.searchsorted(self._start_array, offsets, side="right") - 1
        return [self._ordered[position] for position in np.unique(positions).tolist()]

    def owner(self, located: int) -> Allocation:
        """The allocation that a located offset belongs to; there must be one."""
        found = self.nearest(located)
        assert found is not None
        return found
