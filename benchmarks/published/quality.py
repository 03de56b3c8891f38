"""How far estimates are from measurements: single errors, and whether pairs stand in the right order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.ranking.ranks import spearman

APART = 1.05
"""Two times that differ by less than this say nothing of which kernel is faster."""


@dataclass(frozen=True)
class Inversion:
    """Two kernels of which the estimate says the wrong one is faster.

    Attributes:
        measured: The slower one's time over the faster one's.
        estimated: The same of the estimates: below 1.
    """

    faster: str
    slower: str
    measured: float
    estimated: float


@dataclass(frozen=True)
class Quality:
    """Estimates of a set of kernels beside measurements.

    Attributes:
        median_error: Of |log(estimated / measured)|.
        log_sd: Root of the mean square of log(estimated / measured), its mean taken off.
        bias: Median of estimated / measured.
        pairs, ordered: Pairs of one group that lie apart, and how many of them the estimates order rightly.
        worst: The inversion of kernels that are measured furthest apart.
    """

    points: int
    median_error: float
    log_sd: float
    bias: float
    pairs: int
    ordered: int
    spearman: float | None
    worst: Inversion | None


@dataclass(frozen=True)
class Compared:
    """One kernel: its group, name, and two times."""

    group: str
    variant: str
    measured_us: float
    estimated_us: float

    @property
    def ratio(self) -> float:
        """Estimated over measured."""
        return self.estimated_us / self.measured_us


def quality(kernels: Sequence[Compared]) -> Quality:
    """Compare the times of one kernel or more; only those of one group stand in competition."""
    logs = np.log([one.ratio for one in kernels])
    pairs = ordered = 0
    worst: Inversion | None = None
    for first, second in itertools.combinations(kernels, 2):
        faster, slower = sorted((first, second), key=lambda one: one.measured_us)
        if first.group != second.group or slower.measured_us < APART * faster.measured_us:
            continue
        pairs += 1
        estimated, measured = (
            slower.estimated_us / faster.estimated_us,
            slower.measured_us / faster.measured_us,
        )
        ordered += estimated > 1
        if estimated <= 1 and (worst is None or measured > worst.measured):
            worst = Inversion(faster.variant, slower.variant, measured, estimated)
    return Quality(
        len(kernels),
        float(np.median(np.abs(logs))),
        float(np.std(logs)),
        math.exp(float(np.median(logs))),
        pairs,
        ordered,
        spearman([one.estimated_us for one in kernels], [one.measured_us for one in kernels]),
        worst,
    )
