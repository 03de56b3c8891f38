"""Threads that have arrived at barriers without waiting there (PTX ISA 9.0, sections 9.7.13.1 and 9.7.13.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sandbox.device import Array

NUMBERS = 16
"""Barriers of a block that have a number."""
CLUSTER = -1
"""Stands for the cluster barrier where a barrier's number is asked for."""


@dataclass
class Arrivals:
    """Of one batch.

    Attributes:
        numbered: Threads that came by `bar.arrive` and are still waited with, int64, shape (NUMBERS, 1, 1, blocks);
            None before the first one.
        cluster: How often each thread has come by `barrier.cluster.arrive`, int64, lane-shaped.
    """

    numbered: Array | None = None
    cluster: Array = field(default_factory=lambda: np.zeros((1, 1, 1), dtype=np.int64))

    def numbered_of(self, blocks: int) -> Array:
        """`numbered`, made where it is not yet."""
        if self.numbered is None:
            self.numbered = np.zeros((NUMBERS, 1, 1, blocks), dtype=np.int64)
        return self.numbered
