"""Rules of NumPy's functions that leave NaN out: those of the others, with NaN replaced or masked."""

from __future__ import annotations

import math
from typing import Any

from sandbox.reference.running_error.array import FUNCTION_RULES, Traced, lift, rule
from sandbox.reference.running_error.precision import np
from sandbox.reference.running_error.reductions import mean_of, sum_of


def _replacing(function: Any, whole: Any, neutral: float) -> None:
    """Take a neutral element for NaN; a row of nothing else is left to NumPy's own value."""
    by_rule = FUNCTION_RULES[whole]

    def apply(x: Any, axis: Any = None, **keywords: Any) -> Any:
        x = lift(x)
        gone = np.isnan(x.v)
        if not gone.any():
            return by_rule(x, axis, **keywords)
        made = lift(by_rule(np.where(gone, neutral, x), axis, **keywords))
        return Traced(function(x.v, axis, **keywords), made.s)

    rule(function)(apply)


def _mean(x: Any, axis: Any = None, dtype: Any = None, *, keepdims: Any = False) -> Traced:
    x = lift(x)
    there = ~np.isnan(x.v)
    if there.all():
        return mean_of(x, axis, keepdims=keepdims)
    total = sum_of(np.where(there, x, 0.0), axis, keepdims=bool(keepdims))
    made: Any = total / np.sum(there, axis=axis, keepdims=bool(keepdims))
    return Traced(np.nanmean(x.v, axis=axis, keepdims=bool(keepdims)), made.s)


def _variance(x: Any, axis: Any = None, dtype: Any = None, *, ddof: Any = 0, keepdims: Any = False) -> Traced:
    x = lift(x)
    there = ~np.isnan(x.v)
    if there.all():
        return FUNCTION_RULES[np.var](x, axis, ddof=ddof, keepdims=keepdims)
    apart: Any = np.where(there, x - _mean(x, axis, keepdims=True), 0.0)
    count = np.sum(there, axis=axis, keepdims=bool(keepdims)) - ddof
    made: Any = sum_of(apart * apart, axis, keepdims=bool(keepdims)) / count
    return Traced(np.nanvar(x.v, axis=axis, ddof=ddof, keepdims=bool(keepdims)), made.s)


def _deviation(x: Any, axis: Any = None, dtype: Any = None, **keywords: Any) -> Any:
    return np.sqrt(_variance(x, axis, **keywords))


_replacing(np.nansum, np.sum, 0.0)
_replacing(np.nanprod, np.prod, 1.0)
_replacing(np.nanmax, np.max, -math.inf)
_replacing(np.nanmin, np.min, math.inf)
_replacing(np.nancumsum, np.cumsum, 0.0)
_replacing(np.nancumprod, np.cumprod, 1.0)
rule(np.nanmean)(_mean)
rule(np.nanvar)(_variance)
rule(np.nanstd)(_deviation)
