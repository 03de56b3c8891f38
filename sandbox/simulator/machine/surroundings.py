"""What a kernel cannot know of the machine that it runs on: drawn anew for every run, from the run's seed.

Addresses, the order of buffers and the gaps between them, numbers of multiprocessors, warps and grids, and clocks are
nothing that CUDA promises; a result that depends on one is wrong on some device.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sandbox.device import Array

WINDOW = 1 << 39
"""Bytes of generic addresses that belong to one state space."""
_SLOT = 1 << 40
_SLOTS = range(0x10, 0x80)
_ALIGNMENT = 256
_SHARED_ALIGNMENT = 1024
_MOST_GAPS = 64
_MORE_MULTIPROCESSORS = 9
_LONGEST_TICK = 512
_READ = 1 << 16


def seed_of(key: str, inputs: Mapping[str, Array]) -> int:
    """A seed that follows from a program's key and the inputs: the same for every run over them, and unknown to both.

    Of each input only the first bytes count: inputs are drawn at random.
    """
    digest = hashlib.sha256(key.encode())
    for name in sorted(inputs):
        array = np.ascontiguousarray(inputs[name]).reshape(-1)
        digest.update(f"{name}:{array.size}:".encode())
        digest.update(array[: _READ // array.itemsize].tobytes())
    return int.from_bytes(digest.digest()[:8], "little")


@dataclass(frozen=True)
class Windows:
    """Where the state spaces lie among generic addresses (PTX ISA 9.0, section 5.1), and in themselves.

    Attributes:
        buffers: Address of byte 0 of global memory, a multiple of 256.
        shared, local: Generic addresses of byte 0 of shared and of local memory; their low 32 bits are those of
            the addresses in the space itself.
        functions: Address of the first function.
        shared_start, local_start: Addresses of those bytes in their own spaces.
    """

    buffers: int
    shared: int
    local: int
    functions: int
    shared_start: int
    local_start: int

    def start(self, space: str) -> int:
        """Address of byte 0 in the state space itself; that of global memory is generic."""
        return {"shared": self.shared_start, "local": self.local_start}.get(space, self.buffers)

    def generic(self, space: str) -> int:
        """Generic address of byte 0 of a state space."""
        return {"shared": self.shared, "local": self.local}.get(space, self.buffers)


@dataclass
class Clock:
    """A clock that grows by an unknown amount from read to read, and measures nothing.

    Attributes:
        seed: Of the run.
        launch, block: Who reads it: a launch of the run, and the first block of a batch.
    """

    seed: int
    launch: int
    block: int
    _now: int = 0

    @cached_property
    def _steps(self) -> random.Random:
        return random.Random(f"{self.seed}:clock:{self.launch}:{self.block}")

    def read(self) -> int:
        """The next reading."""
        if not self._now:
            epoch = random.Random(f"{self.seed}:clock").randrange(1 << 40, 1 << 60)
            self._now = epoch + (self.launch << 24) + self._steps.randrange(1 << 20)
        self._now += self._steps.randrange(1, _LONGEST_TICK)
        return self._now


@dataclass(frozen=True)
class Surroundings:
    """The surroundings of one run, or of one profile.

    Attributes:
        seed: Of everything here; the run's poison seed.
        approximations: Seed of the errors of approximate instructions; None for results without them.
    """

    seed: int
    approximations: int | None = None

    def _draw(self, what: str) -> np.random.Generator:
        digest = hashlib.sha256(f"{self.seed}:surroundings:{what}".encode()).digest()
        return np.random.Generator(np.random.SFC64(int.from_bytes(digest[:16], "little")))

    def sample(self, launch: int, times: int) -> np.random.Generator:
        """What says which blocks of a launch stand for all of them, of a sample `times` as large as need be."""
        return self._draw(f"sample of {launch}, {times} times")

    @cached_property
    def windows(self) -> Windows:
        """Where the state spaces lie: each in a slot of its own."""
        draw = self._draw("windows")
        slots = [int(slot) * _SLOT for slot in draw.choice(_SLOTS, 4, replace=False)]
        whole = [int(high) << 32 for high in draw.integers(0, WINDOW >> 32, 2)]
        shared_start, local_start = (int(n) * _SHARED_ALIGNMENT for n in draw.integers(1, 32, 2))
        return Windows(
            buffers=slots[0] + int(draw.integers(1, WINDOW // _ALIGNMENT)) * _ALIGNMENT,
            shared=slots[1] + whole[0] + shared_start,
            local=slots[2] + whole[1] + local_start,
            functions=slots[3] + int(draw.integers(1, WINDOW // _ALIGNMENT)) * _ALIGNMENT,
            shared_start=shared_start,
            local_start=local_start,
        )

    def buffers(self, names: Iterable[str], unit: int) -> list[tuple[str, int]]:
        """The order in which buffers lie, and how much wider than need be the gap before each is, bytes.

        Args:
            names: Of the buffers.
            unit: What the gaps are multiples of, bytes.
        """
        draw = self._draw("buffers")
        listed = list(names)
        gaps = draw.integers(0, _MOST_GAPS, len(listed)) * unit
        return [
            (listed[int(at)], int(gap)) for at, gap in zip(draw.permutation(len(listed)), gaps, strict=True)
        ]

    def grid(self, launch: int) -> int:
        """`%gridid` of a launch of the run: it grows by one from launch to launch (PTX ISA 9.0, section 10.10)."""
        return int(self._draw("grid").integers(1 << 8, 1 << 40)) + launch

    def multiprocessors(self, present: int) -> int:
        """`%nsmid`: numbers need not be contiguous, so it may exceed the multiprocessors present (section 10.9)."""
        return present + int(self._draw("multiprocessors").integers(0, _MORE_MULTIPROCESSORS))

    def multiprocessor(self, blocks: Array, present: int) -> Array:
        """`%smid` of linear blocks: as many neighbours as there are multiprocessors are on different ones (10.8)."""
        draw = self._draw("multiprocessor")
        numbers = draw.permutation(self.multiprocessors(present))[:present]
        turns, key = blocks // present, int(draw.integers(1, 1 << 31)) * 2 + 1
        shift = (turns.astype(np.uint64) + np.uint64(1)) * np.uint64(key) >> np.uint64(7)
        return numbers[(blocks + (shift % np.uint64(present)).astype(np.int64)) % present]

    def warps(self, count: int, present: int, block: int) -> Array:
        """`%warpid` of the warps of a block: different numbers below `present`, in no known order (10.4)."""
        return self._draw(f"warps of {block}").permutation(max(count, present))[:count]

    def clock(self, launch: int, block: int) -> Clock:
        """The clock that a batch of blocks reads; `block` is the first of them."""
        return Clock(self.seed, launch, block)
