"""Statistics of samples: quantiles, and the ratio of two kernels pair by pair with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.verdict import PairedVerdict

DRAWS = 10_000
_LEVEL = 0.95
_WEIGHT = 1 << 22
"""Numbers that are drawn at once at most."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Summary:
    """Quantiles of samples, in their unit."""

    median: float
    p10: float
    p25: float
    p75: float
    p90: float
    count: int


@dataclass(frozen=True)
class Ratio:
    """How many times as fast as the baseline: the median over pairs, and its 95 percent bootstrap interval."""

    value: float
    low: float
    high: float
    pairs: int

    @property
    def half_width(self) -> float:
        """Half the interval's width, relative to the value."""
        return (self.high - self.low) / (2 * self.value)


def summary(samples: Sequence[float]) -> Summary:
    """Return the quantiles of at least one sample."""
    p10, p25, median, p75, p90 = (
        float(one) for one in np.quantile(np.asarray(samples, np.float64), (0.1, 0.25, 0.5, 0.75, 0.9))
    )
    return Summary(median, p10, p25, p75, p90, len(samples))


def paired_ratio(
    baseline: Sequence[float],
    candidate: Sequence[float],
    *,
    block: int = 2,
    seed: int = 0,
    draws: int = DRAWS,
) -> Ratio:
    """Return the speed-up: the median of the logarithms of `baseline / candidate`, pair by pair.

    Blocks of pairs that were measured together (A B B A is two) are drawn together, with replacement (the block
    bootstrap of Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 8), so that what drifts from
    block to block widens the interval as it should. The interval is of percentiles.

    Args:
        baseline: Times of the pairs, in order, positive.
        candidate: The other times of the same pairs.
        block: Pairs that were measured together.
        seed: Of the draws.
        draws: How many.

    Raises:
        ValueError: There is no pair, the numbers differ, or a time is not positive.
    """
    if len(baseline) != len(candidate) or not baseline:
        raise ValueError(f"{len(baseline)} times beside {len(candidate)}: pairs were expected")
    if min(*baseline, *candidate) <= 0:
        raise ValueError("a time is not positive")
    logs = np.log(np.asarray(baseline, np.float64)) - np.log(np.asarray(candidate, np.float64))
    low, high = np.quantile(_medians(logs, block, seed, draws), ((1 - _LEVEL) / 2, (1 + _LEVEL) / 2))
    middle = float(np.median(logs))
    return Ratio(math.exp(middle), math.exp(min(low, middle)), math.exp(max(high, middle)), len(logs))


def noise_floor(itself: Ratio) -> float:
    """Return by how much a kernel may differ from itself, relative: from a timing of a kernel beside itself (A/A).

    The end of the interval that is further from one. Whoever claims that one kernel is faster than another has to
    be beyond this too: it holds what the order of samples and the GPU's state do to one of two like kernels.
    """
    return math.exp(max(abs(math.log(itself.low)), abs(math.log(itself.high)))) - 1


def told_apart(ratio: Ratio, noise: float) -> bool:
    """Say whether two kernels differ: their ratio's interval lies on one side of one, beyond the noise floor."""
    return ratio.low > 1 + noise or ratio.high < 1 / (1 + noise)


def paired_verdict(ratio: Ratio, noise: float) -> PairedVerdict:
    """Say what a ratio shows of a kernel beside its baseline; `noise` as for `told_apart`."""
    if not told_apart(ratio, noise):
        return PairedVerdict.INCONCLUSIVE
    return PairedVerdict.FASTER if ratio.value > 1 else PairedVerdict.SLOWER


def _medians(logs: Array, block: int, seed: int, draws: int) -> Array:
    whole = len(logs) // block * block
    blocks = logs[:whole].reshape(-1, block) if whole else logs.reshape(1, -1)
    random = np.random.default_rng(seed)
    step = max(1, _WEIGHT // blocks.size)
    found = [
        np.median(
            blocks[random.integers(0, len(blocks), (min(step, draws - done), len(blocks)))], axis=(1, 2)
        )
        for done in range(0, draws, step)
    ]
    return np.concatenate(found)
