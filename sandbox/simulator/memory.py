"""Device memory: one arena, a table of allocations, guard zones between them; every access is checked."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from sandbox.device import Array
from sandbox.simulator.ptx.types import S64, U8, U16, U32, U64

ALIGNMENT = 256
GUARD = 4096
GLOBAL_BASE = 0x7F00_0000_0000
SHARED_BASE = 0x7E00_0000_0000
LOCAL_BASE = 0x7D00_0000_0000
WINDOW = 1 << 40


@dataclass(frozen=True)
class Allocation:
    """A buffer in the arena: [start, end) in bytes from GLOBAL_BASE; `label` describes it in messages."""

    name: str
    start: int
    end: int
    label: str


class Arena:
    """Global memory of one run. Pages that nothing touches cost nothing.

    Args:
        sizes: Buffer names and sizes in bytes, in order.
        labels: How messages call a buffer, for example `x (float32[1000])`; its name where absent.
    """

    def __init__(self, sizes: dict[str, int], labels: dict[str, str] | None = None) -> None:
        labels = labels or {}
        self.allocations: dict[str, Allocation] = {}
        position = GUARD
        for name, size in sizes.items():
            self.allocations[name] = Allocation(name, position, position + size, labels.get(name, name))
            position = -(-(position + size) // ALIGNMENT) * ALIGNMENT + GUARD
        self.bytes = np.zeros(-(-position // 16) * 16, dtype=U8)
        self._views: dict[int, Array] = {1: self.bytes}
        self._views |= {t.itemsize: self.bytes.view(t) for t in (U16, U32, U64)}
        ordered = list(self.allocations.values())
        self._starts = [allocation.start for allocation in ordered]
        self._ends = [allocation.end for allocation in ordered]
        self._start_array = np.array(self._starts or [0], dtype=S64)
        self._end_array = np.array(self._ends or [0], dtype=S64)
        self._ordered = ordered

    def address(self, name: str) -> int:
        """Device address of a buffer."""
        return GLOBAL_BASE + self.allocations[name].start

    def buffer(self, name: str) -> Array:
        """The bytes of a buffer, a view."""
        allocation = self.allocations[name]
        return self.bytes[allocation.start : allocation.end]

    def view(self, size: int) -> Array:
        """The whole arena as unsigned integers of `size` bytes."""
        return self._views[size]

    def contains(self, low: int, high: int) -> bool:
        """Whether the bytes [low, high) from GLOBAL_BASE lie in one allocation."""
        position = bisect_right(self._starts, low) - 1
        return position >= 0 and high <= self._ends[position]

    def outside(self, offsets: Array, size: int) -> Array:
        """Which accesses of `size` bytes leave their allocation; bool, shape of `offsets`."""
        position = np.searchsorted(self._start_array, offsets, side="right") - 1
        safe = np.maximum(position, 0)
        return (position < 0) | (offsets + size > self._end_array[safe]) | (offsets < self._start_array[safe])

    def nearest(self, offset: int) -> Allocation | None:
        """The allocation whose bytes lie closest to an offset; None where there is none."""

        def distance(allocation: Allocation) -> int:
            return max(allocation.start - offset, offset - allocation.end + 1, 0)

        return min(self._ordered, key=distance, default=None)
