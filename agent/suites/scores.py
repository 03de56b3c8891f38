"""What many results add up to. Speedups are ratios of latencies on one device; a task without a kernel has none."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

PS = (0.0, 0.5, 0.8, 1.0, 1.5, 2.0)
"""Thresholds at which KernelBench tells fast_p."""


def sol_score(latency: float, baseline: float, least: float) -> float:
    """Return S = 1 / (1 + (T - T_SOL) / (T_b - T_SOL)): 1 at the speed of light, 0.5 at the baseline (SOL-ExecBench).

    Where the baseline is at the speed of light already there is nothing to gain: 1 for a kernel that is too, else 0.

    Args:
        latency: T, microseconds.
        baseline: T_b, microseconds.
        least: T_SOL: what the least possible work takes at the device's peak rates, microseconds.
    """
    if baseline <= least:
        return 1.0 if latency <= least else 0.0
    return 1 / (1 + (max(latency, least) - least) / (baseline - least))


def with_baselines(speedups: Iterable[float | None]) -> list[float]:
    """Return the speedups with 1 for every task without a kernel: its baseline is what one is left with."""
    return [1.0 if one is None else one for one in speedups]


def geometric_mean(speedups: Sequence[float]) -> float | None:
    """Return the geometric mean; None of none."""
    return math.exp(math.fsum(map(math.log, speedups)) / len(speedups)) if speedups else None


def median(speedups: Sequence[float]) -> float | None:
    """Return the median; None of none."""
    return statistics.median(speedups) if speedups else None


def fast_p(speedups: Sequence[float | None], p: float) -> float:
    """Return the share of tasks with a correct kernel that is more than p times as fast as the baseline.

    KernelBench (arXiv 2502.10517), section 3: at p = 0 the share of tasks with a correct kernel at all.
    """
    return sum(one is not None and one > p for one in speedups) / len(speedups)


def pass_at_k(samples: Iterable[tuple[int, int]], k: int) -> float:
    """Return the chance that one of k samples is correct, the mean over tasks (Chen et al., arXiv 2107.03374).

    Args:
        samples: Of each task how many there are, and how many of them are correct; one without samples has no chance.
        k: How many are drawn, at most as many as any task with samples has.
    """
    chances = [0.0 if n == 0 else 1 - math.comb(n - correct, k) / math.comb(n, k) for n, correct in samples]
    return math.fsum(chances) / len(chances)
