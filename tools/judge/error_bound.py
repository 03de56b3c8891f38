"""How far a computed floating point value may be from the float64 reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.dtypes import FLOATS, FloatLayout, power_below

Array = np.ndarray[Any, Any]
Float64s = np.ndarray[Any, np.dtype[np.float64]]


SLICE = 1 << 14
"""Elements that are judged at a time: what a slice needs on the way fits the cache."""

KEEPS_SUBNORMALS = frozenset({"float16"})
"""Formats whose results below the smallest normal number may not be 0.

Subnormal results are lost by `.ftz` instructions and by honest formulas with an intermediate overflow, such
as `1 / (1 + exp(-x))`; no kernel is refused for that. Those of float16 are not so small: as a rule they come
from float32 values by one rounding, which keeps them.
"""


def unit_in_last_place(values: Float64s, form: FloatLayout) -> Float64s:
    """Return the spacing of `form` at each value, in float64; zeros and subnormals give the least spacing.

    Args:
        values: Float64 values of any shape; where not finite, the result is meaningless.
        form: The format whose spacing is wanted.
    """
    return np.maximum(power_below(values), 2.0**form.least_exponent) * 2.0**-form.fraction_bits


@dataclass(frozen=True)
class ErrorBound:
    """The bound `constant * unit + ulp`, elementwise; `unit` is `eps * S`, all arrays float64 of one shape.

    Where the result is subnormal and the format may flush, `ulp` is the smallest normal number.

    S is the sum of the absolute values of the terms behind an element. Rounding errors of a sum grow with
    its terms, not with its value (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section
    3.1 and 4.2: `|error| <= gamma(n) * sum|terms|`), so no pair of absolute and relative tolerances can both
    accept honest kernels and refuse an output of zeros.
    """

    unit: Float64s
    ulp: Float64s

    def limit(self, constant: float) -> Float64s:
        """Return the largest allowed error of every element."""
        return constant * self.unit + self.ulp


def error_bound(expected: Float64s, magnitude: Float64s | None, dtype: str) -> ErrorBound:
    """Return the bound for an output.

    S is never below `|expected|`, which it is by definition where `magnitude` was exact; where it is missing
    or not finite, it is `|expected|`.

    Args:
        expected: Float64 reference values.
        magnitude: S of the same shape, or None.
        dtype: The output's dtype, one of `FLOATS`; every other one is compared exactly.
    """
    form = FLOATS[dtype]
    value = np.where(np.isfinite(expected), np.abs(expected), 0.0)
    terms = value
    if magnitude is not None:
        terms = np.where(np.isfinite(magnitude), np.maximum(np.abs(magnitude), value), value)
    ulp = unit_in_last_place(value, form)
    if dtype not in KEEPS_SUBNORMALS:
        ulp = np.where(value < form.smallest_normal, form.smallest_normal, ulp)
    return ErrorBound(unit=form.epsilon * terms, ulp=ulp)
