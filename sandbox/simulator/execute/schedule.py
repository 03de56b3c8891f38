"""In which order a run takes what nothing orders: blocks, warps, lanes of a divergent warp, threads at atomics.

CUDA promises none of these orders, so the second run of a judgement takes others than the first, drawn from its seed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sandbox.device import Array
from sandbox.simulator.machine.lanes import WARP, Geometry, Turns

_FEW_BLOCKS = 4
_FEW_EVERY = 4
_MOST_STRAYS = 3
_STRAYS_EVERY = 3


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

    def batch(self, geometry: Geometry, blocks: Array, *, drifting: bool) -> BatchSchedule | None:
        """The orders inside a batch of linear blocks; `drifting` if threads are to run apart from each other."""
        if self.seed is None:
            return None
        return BatchSchedule(self._draw(f"batch of {int(blocks[0])}"), geometry, len(blocks), drifting)


LOCK_STEP = Schedule()
"""All in order of their numbers, and in lock step."""


@dataclass
class BatchSchedule:
    """The orders of one batch of blocks."""

    draw: np.random.Generator
    geometry: Geometry
    blocks: int
    drifting: bool

    @cached_property
    def turns(self) -> Turns:
        """The order of threads at atomics; blocks take turns in the order of the batch, which is drawn too."""
        rows, columns = (self.draw.permutation(n) for n in (self.geometry.rows, self.geometry.columns))
        return rows, columns, np.arange(self.blocks)

    @cached_property
    def sides(self) -> tuple[Array, ...]:
        """Lanes of the warps that run first, and of those that are held back; nothing where all keep step.

        The same warps of every block are, or warps of any block.
        """
        geometry = self.geometry
        # Blocks of a cluster start together.
        across = self.blocks > 1 and geometry.cluster_size == 1
        across = across and (geometry.warps == 1 or bool(self.draw.integers(0, 2)))
        count = geometry.warps * (self.blocks if across else 1)
        if not self.drifting or count == 1:
            return ()
        held = np.zeros(count, dtype=np.bool_)
        held[self.draw.permutation(count)[: self.draw.integers(1, count)]] = True
        held = held.reshape(geometry.warps, -1)
        linear = np.arange(geometry.threads).reshape(geometry.rows, geometry.columns)
        late: Array = held[linear // WARP]
        return (~late, late)

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
