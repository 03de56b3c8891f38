"""The cache model: what of a block's loads its share of L1 holds, and which memory the sampled blocks touch.

L1: a block finds a sector if it brought in fewer than its share of L1 in others since it last touched it (an
LRU window). It is kept as one tag table a block, eight times the share, indexed by a hash, so its size
depends neither on buffers nor on grid. Two sectors of one slot evict each other; that is rare, and real
caches have it too.
"""

from __future__ import annotations

from functools import reduce

import numpy as np

from sandbox.device import Array

_SLACK = 8
_MOST_CELLS = 1 << 22
_HASH = np.int64(0x9E3779B97F4A7C15 - (1 << 64))
_HASH_SHIFT = 20
_HASH_MASK = (1 << 44) - 1


def _equal(one: Array | None, other: Array | None) -> bool:
    """Whether two arrays, or None, are the same."""
    if one is None or other is None:
        return one is other
    return one is other or (one.shape == other.shape and bool((one == other).all()))


class BlockCaches:
    """L1 of every block of a batch.

    Args:
        blocks: Blocks in the batch.
        sectors: One block's share of L1.
    """

    def __init__(self, blocks: int, sectors: int) -> None:
        wanted = min(_SLACK * max(sectors, 1), max(_MOST_CELLS // blocks, 64))
        self._slots = 1 << (wanted - 1).bit_length()
        self._window = max(sectors, 1)
        # Zeros cost nothing until they are touched, and what belongs to a slot lies side by side, so that it is one
        # page that is. A slot that nothing is in has the tag 0, another one a sector plus 1.
        self._tags, self._times, self._marks = np.zeros((blocks * self._slots, 3), dtype=np.int64).T
        self._brought = np.zeros(blocks, dtype=np.int64)
        self._found: tuple[Array, Array] | None = None

    def empty(self) -> None:
        """Make room for other blocks: all that is held is as old as what was evicted."""
        self._brought += self._window
        self._found = None

    def load(self, sectors: Array, blocks: Array) -> tuple[int, Array]:
        """Load sectors, all at once.

        Args:
            sectors: Sector numbers, flat; may repeat.
            blocks: The block of the batch that loads each.

        Returns:
            How many sectors the blocks had to bring in, and a mask of those that were not there.
        """
        if self._found is not None and _equal(self._found[0], sectors) and _equal(self._found[1], blocks):
            # The last load was the same one and found everything: nothing has changed since.
            return 0, np.zeros(len(sectors), dtype=np.bool_)
        slots = ((sectors * _HASH >> _HASH_SHIFT) & _HASH_MASK & (self._slots - 1)) + blocks * self._slots
        young = self._brought[blocks] - self._times[slots] < self._window
        missed = ~(young & (self._tags[slots] == sectors + 1))
        count = self._bring(sectors[missed], slots[missed], blocks[missed]) if missed.any() else 0
        self._times[slots] = self._brought[blocks]
        self._found = None if count else (sectors, blocks)
        return count, missed

    def _bring(self, sectors: Array, slots: Array, blocks: Array) -> int:
        self._tags[slots] = sectors + 1
        index = np.arange(len(slots))
        self._marks[slots] = index
        first = self._marks[slots] == index
        self._brought += np.bincount(blocks[first], minlength=len(self._brought))
        return int(np.count_nonzero(first))


class Footprint:
    """Which sectors each sampled block touched; grows with the pages that exist, not with the buffers.

    Args:
        blocks: Blocks of the sample.
    """

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        # Rows are whole words, so that one is asked at once whether anybody touched its sector.
        self._word = np.dtype(np.uint8 if blocks == 1 else np.uint64)
        self._width = -(-blocks // self._word.itemsize) * self._word.itemsize
        self._touched = np.zeros((1 << 12, self._width), dtype=np.bool_)
        self._latest: list[tuple[Array, Array | None]] = []

    def touch(self, sectors: Array, blocks: Array | None) -> None:
        """Note sectors, and the block that touched each; None for every block.

        Blocks beyond the sample, which are counted where the sample did all the work, count as its last.
        """
        if any(_equal(known, sectors) and _equal(by, blocks) for known, by in self._latest):
            return
        self._latest = [*self._latest[-1:], (sectors, blocks)]  # two: loops load here and store there
        highest = int(sectors.max(initial=0))
        if highest >= len(self._touched):
            bigger = np.zeros((1 << highest.bit_length(), self._width), dtype=np.bool_)
            bigger[: len(self._touched)] = self._touched
            self._touched = bigger
        if blocks is None:
            self._touched[sectors] = True
        else:
            column = np.minimum(blocks, self.blocks - 1)
            self._touched.reshape(-1)[sectors * self._width + column] = True

    def rows(self) -> tuple[Array, Array]:
        """Sectors that any block touched, ascending, and which of the blocks did; bool, (sectors, blocks)."""
        sectors = np.flatnonzero(reduce(np.bitwise_or, self._touched.view(self._word).T))
        return sectors, self._touched[:, : self.blocks].take(sectors, axis=0)

    def seen(self, sectors: Array, block: int) -> Array:
        """Whether a block touched each of these sectors."""
        inside = sectors < len(self._touched)
        return inside & self._touched[np.where(inside, sectors, 0), min(block, self.blocks - 1)]

    def of(self, block: int) -> Array:
        """The sectors that a block touched, ascending."""
        return np.flatnonzero(self._touched[:, min(block, self.blocks - 1)])
