"""In which order kernels are timed, and when there are enough samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.timing.statistics import paired_ratio, summary

CANDIDATE, BASELINE = 0, 1
LOOKS = (30, 60, 120, 240)
"""Pairs after which one looks whether they are enough. A few looks set beforehand: who looks after every pair stops
when chance is kind (optional stopping)."""

PAIRS_A_BLOCK = 2
_LOOK_DRAWS = 1000


@dataclass(frozen=True)
class TimingRules:
    """How carefully to time.

    Attributes:
        relative_error: Enough, once half of the ratio's 95 percent interval is below this part of it.
        limit_s: Seconds of wall time after which no further block is begun, warm-up included.
        warm_s: Least seconds of warm-up.
        flush: How much is written, and then how much is read, between samples, in sizes of the L2 cache.
        clock_change: Pairs are dropped where the clock before and after differs by more than this part.
        kept: Outputs of timed runs that come back for judging, at most.
    """

    relative_error: float = 0.01
    limit_s: float = 15.0
    warm_s: float = 0.5
    flush: float = 2.0
    clock_change: float = 0.02
    kept: int = 6


def block_order(*, paired: bool, flipped: bool) -> tuple[int, ...]:
    """Return who runs in a block: A B B A, or B A A B where `flipped`; A A without a baseline.

    Whatever changes slowly (heat, clocks) then weighs on both alike: it cancels in a block to first order.
    """
    if not paired:
        return (CANDIDATE,) * PAIRS_A_BLOCK
    first, second = (BASELINE, CANDIDATE) if flipped else (CANDIDATE, BASELINE)
    return (first, second, second, first)


def enough(candidate: Sequence[float], baseline: Sequence[float], rules: TimingRules) -> bool:
    """Say whether to stop; only at the looks, and always at the last.

    Args:
        candidate: Its times so far.
        baseline: Those of the same pairs; empty without a baseline.
        rules: How precise to be.
    """
    count = len(candidate)
    if count < LOOKS[0] or (count not in LOOKS and count < LOOKS[-1]):
        return False
    if count >= LOOKS[-1]:
        return True
    if baseline:
        ratio = paired_ratio(baseline, candidate, seed=count, draws=_LOOK_DRAWS)
        return ratio.half_width < rules.relative_error
    return _median_error(candidate) < rules.relative_error


def _median_error(samples: Sequence[float]) -> float:
    """About two standard errors of the median, relative, from the quartiles (a normal centre is assumed)."""
    found = summary(samples)
    return 2 * 1.2533 * (found.p75 - found.p25) / 1.349 / found.count**0.5 / found.median
