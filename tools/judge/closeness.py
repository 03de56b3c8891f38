"""How near results are to a reference by the rules of public benchmarks, which are laxer than the error bound."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from tools.judge.error_bound import SLICE, Array
from tools.reports import LAX_RATIO, LAX_TOLERANCE, Closeness


def closeness(got: Array, expected: Array) -> Closeness:
    """Say how near the elements of an output are to its reference.

    Args:
        got: What came out, flat, of the output's dtype.
        expected: The reference, flat; float64 where the output is floating, else exact.
    """
    if got.size == 0:
        return Closeness(0.0, 0.0, 0.0, 0.0)
    needed = np.empty(got.size)
    absolute, relative = 0.0, 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, got.size, SLICE):
            here = slice(start, start + SLICE)
            theirs = expected[here].astype(np.float64, copy=False)
            error = np.abs(got[here].astype(np.float64) - theirs)
            # The rules know no infinities that agree, nor NaN: what is not finite is beyond every tolerance.
            error[~np.isfinite(error)] = math.inf
            size = np.abs(theirs)
            needed[here] = np.where(np.isfinite(size), error / (1.0 + size), math.inf)
            absolute = max(absolute, float(error.max()))
            relative = max(relative, _greatest(error / np.maximum(size, LAX_TOLERANCE)))
    all_of_them = float(needed.max())
    matched = math.ceil(LAX_RATIO * got.size)
    needed.partition(matched - 1)
    most = float(needed[matched - 1])
    return Closeness(*(_finite(one) for one in (absolute, relative, all_of_them, most)))


def worst_of(several: Iterable[Closeness | None]) -> Closeness | None:
    """Return the worst of several outputs or cases; None where there are none."""
    known = [one for one in several if one is not None]
    if not known:
        return None
    return Closeness(
        _worst(one.absolute for one in known),
        _worst(one.relative for one in known),
        _worst(one.all_within for one in known),
        _worst(one.most_within for one in known),
    )


def _worst(values: Iterable[float | None]) -> float | None:
    listed = list(values)
    numbers = [one for one in listed if one is not None]
    return max(numbers) if len(numbers) == len(listed) else None


def _greatest(values: Array) -> float:
    return math.inf if np.isnan(values).any() else float(values.max())


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
