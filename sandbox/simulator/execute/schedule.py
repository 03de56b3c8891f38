"""In which order a run takes what nothing orders: blocks, warps, lanes of a divergent warp, threads at atomics.

CUDA promises none of these orders, so the second run of a judgement takes others than the first, drawn from its seed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sandbox.device import Array
from sandbox.simulator.execute.barriers import SIDES
from sandbox.simulator.machine.lanes import WARP, Geometry, Turns

_FEW_BLOCKS = 4
_FEW_EVERY = 4
_MOST_STRAYS = 3
_STRAYS_EVERY = 3
_MOST_CHANGES = 4
_TOGETHER_EVERY = 4
_GAPS = (3, 11)


@dataclass(frozen=True)
class Schedule:
    """The orders of one launch, or those of their numbers and lock step where there is no seed."""

    seed: int | None = None
    launch: int = 0

    def _draw(self, what: str) -> np.random.Generator:
        digest = hashlib.sha256(f"{self.seed}:schedule:{self.launch}:{what}".encode()).digest()
        return np.random.Generator(np.random.SFC64(int.from_bytes(digest[:16], "little")))

    def order(self, units: Array) -> Array:
        """Blocks, or clusters, in the order in which they run."""
        return units if self.seed is None else units[self._draw("blocks").permutation(len(units))]

    def cuts(self, count: int, most: int) -> list[int]:
        """Where batches of at most `most` of `count` units begin, and where the last one ends.

        One in four schedules of their own has a batch of few units more: those run, and end, before any other.
        """
        draw = self._draw("batches") if self.seed is not None and count > 1 else None
        few = 0
        if draw is not None and draw.integers(0, _FEW_EVERY) == 0:
            few = int(draw.integers(1, min(_FEW_BLOCKS, most, count - 1), endpoint=True))
        return [*([0] if few else []), *range(few, count, most), count]

    def batch(
        self, geometry: Geometry, blocks: Array, *, drifting: bool, restless: bool = False
    ) -> BatchSchedule | None:
        """The orders inside a batch of linear blocks.

        Args:
            geometry: Of the launch.
            blocks: The batch.
            drifting: Threads are to run apart from each other.
            restless: Who is held back is to change on the way, because threads wait for others or take tickets.
        """
        if self.seed is None:
            return None
        draw = self._draw(f"batch of {int(blocks[0])}")
        return BatchSchedule(draw, geometry, len(blocks), drifting, drifting and restless)


LOCK_STEP = Schedule()
"""All in order of their numbers, and in lock step."""


@dataclass
class BatchSchedule:
    """The orders of one batch of blocks."""

    draw: np.random.Generator
    geometry: Geometry
    blocks: int
    drifting: bool
    restless: bool = False

    @cached_property
    def turns(self) -> Turns:
        """The order of threads at atomics; blocks take turns in the order of the batch, which is drawn too."""
        rows, columns = (self.draw.permutation(n) for n in (self.geometry.rows, self.geometry.columns))
        return rows, columns, np.arange(self.blocks)

    def sides(self) -> tuple[Array, ...]:
        """Lanes of the warps that run first, and of those that are held back; nothing where all keep step.

        The same warps of every block are, or warps of any block. Restless ones are of up to `SIDES` ranks, each held
        back for all before it.
        """
        geometry = self.geometry
        # Blocks of a cluster start together.
        across = self.blocks > 1 and geometry.cluster_size == 1
        across = across and (geometry.warps == 1 or not self._alike())
        count = geometry.warps * (self.blocks if across else 1)
        if not self.drifting or count == 1:
            return ()
        turn = self.draw.permutation(count)
        ends = self.draw.integers(1, count, self.draw.integers(1, SIDES) if self.restless else 1)
        rank = np.zeros(count, dtype=np.int64)
        rank[turn] = np.count_nonzero(np.arange(count)[:, None] < ends, axis=1)
        linear = np.arange(geometry.threads).reshape(geometry.rows, geometry.columns)
        ranks = rank.reshape(geometry.warps, -1)[linear // WARP]
        return tuple(ranks == one for one in np.unique(rank))

    def _alike(self) -> bool:
        """Whether the same warps of every block are held back."""
        return self.draw.integers(0, _TOGETHER_EVERY if self.restless else 2) == 0

    @cached_property
    def _changes(self) -> list[int]:
        """After how many basic blocks others are held back, the last one first; sooner or much later alike."""
        if not self.restless or self.blocks * self.geometry.warps == 1:
            return []
        gaps = 2 ** self.draw.uniform(*_GAPS, self.draw.integers(0, _MOST_CHANGES, endpoint=True))
        return np.cumsum(gaps).astype(int).tolist()[::-1]

    def changes(self, executed: int) -> bool:
        """Whether other warps are to be held back from here on, after so many basic blocks."""
        if not self._changes or executed < self._changes[-1]:
            return False
        self._changes.pop()
        return True

    @cached_property
    def _strays(self) -> list[int]:
        if not self.drifting:
            return []
        return [int(self.draw.integers(0, _STRAYS_EVERY)) for _ in range(self.draw.integers(0, _MOST_STRAYS))]

    def stray(self) -> int | None:
        """At a branch that divides lanes: which of the two groups is held back, 0 or 1; None, mostly, for neither."""
        if not self._strays:
            return None
        if self._strays[-1]:
            self._strays[-1] -= 1
            return None
        self._strays.pop()
        return int(self.draw.integers(0, 2))
