"""Device memory for profiling: buffers of any size, of which only the pages that something touches exist.

A table maps pages of the buffers to frames of one compact array, so that neither the address space nor the
caches' shadow state grows with the buffers: eight bytes of untouched table stand for a page.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sandbox.device import Array, Fault
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.filling import InputData
from sandbox.simulator.machine.memory import Allocation, Arena
from sandbox.simulator.machine.surroundings import Surroundings
from sandbox.simulator.ptx.types import S64, U8
from sandbox.verdict import Verdict

PAGE_BITS = 12
PAGE = 1 << PAGE_BITS
LIMIT = 1 << 29
"""Bytes of pages that one profile may touch."""
_FIRST_FRAMES = 256
_FEW_PAGES = 8
"""Where an access lacks no more pages than this, so many from each on come into being: one by one costs more."""


class SparseArena(Arena):
    """Global memory whose pages come into being when first touched.

    Offsets that `locate` returns are those of frames: unique for each byte, unrelated to addresses beyond a
    page.

    Args:
        sizes: Buffer names and sizes in bytes, in order.
        labels: How messages call a buffer.
        samples: What pages of a buffer hold at first: data of this kind; zeros for buffers without a sample.
        surroundings: What says where buffers lie.
    """

    def __init__(
        self,
        sizes: dict[str, int],
        labels: dict[str, str],
        samples: Mapping[str, InputData],
        surroundings: Surroundings,
    ) -> None:
        self._place(sizes, labels, PAGE, surroundings)
        self._bases = np.zeros((self.extent >> PAGE_BITS) + 1, dtype=S64)
        self._frames = 1  # frame 0 stands for pages that do not exist
        self._hold(np.zeros(_FIRST_FRAMES * PAGE, dtype=U8))
        self._owners = np.zeros(_FIRST_FRAMES, dtype=np.int32)
        self._fillings = {name: filling for name, filling in samples.items() if filling.sample.size}

    @property
    def touched_bytes(self) -> int:
        """Bytes of all pages that exist, and so the end of what `locate` returns."""
        return self._frames << PAGE_BITS

    def locate(self, offsets: Array) -> Array:
        """Where the bytes at checked offsets lie; missing pages come into being.

        Raises:
            FaultError: RESOURCE_LIMIT where more than `LIMIT` bytes of pages would exist.
        """
        pages = offsets >> PAGE_BITS
        bases = self._bases.take(pages)
        if not bases.all():
            missing = pages[bases == 0]
            wanted = np.unique(missing[np.append(True, missing[1:] != missing[:-1])])
            self._bring(wanted if len(wanted) > _FEW_PAGES else self._with_next(wanted))
            bases = self._bases.take(pages)
        return bases + (offsets & (PAGE - 1))

    def _with_next(self, pages: Array) -> Array:
        """These pages and those after each that do not exist yet: who walks through a buffer will want them."""
        owners = np.searchsorted(self._start_array, pages << PAGE_BITS, side="right") - 1
        ends = (self._end_array[owners] + PAGE - 1) >> PAGE_BITS
        nearby = {
            page
            for first, end in zip(pages.tolist(), ends.tolist(), strict=True)
            for page in range(first, max(first + 1, min(first + _FEW_PAGES, end)))
        }
        more = np.array(sorted(nearby))
        return more[self._bases[more] == 0]

    def owner(self, located: int) -> Allocation:
        """The buffer that a located offset belongs to."""
        return self._ordered[int(self._owners[located >> PAGE_BITS])]

    def owners(self, located: Array) -> Array:
        """Positions in `allocations` of the buffers that located offsets belong to."""
        return self._owners.take(located >> PAGE_BITS)

    def buffer(self, name: str) -> Array:
        """The bytes of a buffer that nothing has touched yet; a view, valid until the next page comes."""
        allocation = self.allocations[name]
        first, last = allocation.start >> PAGE_BITS, (allocation.end + PAGE - 1) >> PAGE_BITS
        pages = np.arange(first, last)
        if not self._bases[pages].all():
            self._bring(pages[self._bases[pages] == 0])
        start = int(self._bases[first])
        return self.bytes[start : start + allocation.end - allocation.start]

    def _bring(self, pages: Array) -> None:
        """Give frames to pages, one after another, and fill them."""
        first, self._frames = self._frames, self._frames + len(pages)
        if self.touched_bytes > LIMIT:
            what = f"the sampled blocks touch more than {LIMIT >> 20} MiB of buffers, too much to count"
            raise FaultError(Fault(Verdict.RESOURCE_LIMIT, what))
        if self.touched_bytes > self.bytes.size:
            self._grow()
        frames = np.arange(first, self._frames)
        self._bases[pages] = frames << PAGE_BITS
        owners = np.searchsorted(self._start_array, pages << PAGE_BITS, side="right") - 1
        self._owners[frames] = owners
        table = self.bytes.reshape(-1, PAGE)
        present: set[int] = set(owners.tolist())
        for index in present:
            allocation = self._ordered[index]
            filling = self._fillings.get(allocation.name)
            if filling is not None:
                chosen = np.flatnonzero(owners == index)
                numbers = pages[chosen] - (allocation.start >> PAGE_BITS)
                table[frames[chosen]] = filling.pages(numbers, PAGE)

    def _grow(self) -> None:
        frames = max(4 * len(self._owners), 1 << (self._frames - 1).bit_length())
        data = np.zeros(frames * PAGE, dtype=U8)
        data[: self.bytes.size] = self.bytes
        owners = np.zeros(frames, dtype=np.int32)
        owners[: len(self._owners)] = self._owners
        self._owners = owners
        self._hold(data)
