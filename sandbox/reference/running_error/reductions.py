"""Rules of reductions: sums, products, extremes, and what runs along an axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from sandbox.reference.running_error.array import METHOD_RULES, Traced, finite, lift, plain, rule
from sandbox.reference.running_error.elementwise import result
from sandbox.reference.running_error.precision import Array, Untraceable, current, np

_MISSING: Any = np._NoValue


def _bare(value: Any) -> Any:
    return None if value is _MISSING else value


def _masked(x: Any, where: Any, neutral: float) -> Traced:
    x = lift(x)
    return x if _bare(where) is None or where is True else np.where(where, x, neutral)


def _axes(keywords: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in keywords.items() if value is not _MISSING and value is not None}


@rule(np.sum)
def sum_of(
    x: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    keepdims: Any = False,
    where: Any = None,
    initial: Any = None,
) -> Traced:
    """Sum; see `Precision.of_sum`."""
    if _bare(initial) is not None:
        return lift(sum_of(x, axis, dtype, keepdims=keepdims, where=where) + initial)
    x = _masked(x, where, 0.0)
    keepdims = bool(_bare(keepdims) or False)
    z = np.asarray(np.sum(x.v, axis=axis, dtype=dtype, keepdims=keepdims))
    passed = None if x.s is None else np.sum(x.summand(), axis=axis, keepdims=keepdims)
    if z.dtype.kind not in "fc":
        return Traced(z, passed)
    terms = x.v.size / max(1, z.size)
    own = current().of_sum(np.sum(np.abs(x.v), axis=axis, keepdims=keepdims), z, terms) if terms > 1 else None
    scale = _plus(own, passed)  # None for a sum of one exact term
    made = Traced(z, None if scale is None else finite(scale))
    made.stored = x.coarse and terms > 1
    return made


def _plus(one: Any, other: Any) -> Any:
    return other if one is None else one if other is None else one + other


@rule(np.mean)
def mean_of(
    x: Any, axis: Any = None, dtype: Any = None, *, keepdims: Any = False, where: Any = None
) -> Traced:
    """Sum, and divide; the divisor's rounding belongs to the sum."""
    total = sum_of(x, axis, keepdims=keepdims, where=where)
    if _bare(where) is not None:
        count: Any = np.sum(
            np.broadcast_to(plain(where), lift(x).shape), axis=axis, keepdims=bool(_bare(keepdims))
        )
    else:
        count = lift(x).v.size / max(1, total.v.size)
    z = np.mean(
        lift(x).v, axis=axis, dtype=dtype, keepdims=bool(_bare(keepdims) or False), where=_mask(where)
    )
    passed = None if total.s is None else total.s / count
    made = result(z, passed, 1, in_place=True)
    made.stored = total.stored
    return made


def _mask(where: Any) -> Any:
    return True if _bare(where) is None else plain(where)


@rule(np.var)
def var_of(
    x: Any, axis: Any = None, dtype: Any = None, *, ddof: Any = 0, keepdims: Any = False, mean: Any = None,
    correction: Any = None,
) -> Traced:  # fmt: skip
    """Mean square of the differences from the mean.

    An error of the mean cancels from it to first order, as the differences add up to 0.
    """
    x = lift(x)
    keepdims = bool(_bare(keepdims) or False)
    ddof = _bare(correction) if _bare(correction) is not None else ddof
    z = np.var(x.v, axis=axis, ddof=ddof, keepdims=keepdims)
    middle = mean_of(x, axis, keepdims=True)
    precision = current()
    differences = np.abs(x.v - middle.v)
    count = x.v.size / max(1, np.size(z)) - ddof
    each = differences * (differences * (3 * precision.elementwise) + 2 * x.scale())
    slip = middle.scale() ** 2 * precision.epsilon
    if not keepdims:
        slip = np.squeeze(slip, axis=axis if axis is not None else tuple(range(x.v.ndim)))
    grown = precision.of_sum(np.asarray(z), np.asarray(z), max(1.0, count))
    return result(z, np.sum(each, axis=axis, keepdims=keepdims) / count + slip + grown, 1)


@rule(np.std)
def std_of(x: Any, axis: Any = None, dtype: Any = None, **keywords: Any) -> Traced:
    """Root of the variance."""
    return np.sqrt(var_of(x, axis, **keywords))


@rule(np.prod)
def prod_of(
    x: Any, axis: Any = None, dtype: Any = None, *, keepdims: Any = False, where: Any = None
) -> Traced:
    """Product: relative errors add up."""
    x = _masked(x, where, 1.0)
    keepdims = bool(_bare(keepdims) or False)
    z = np.asarray(np.prod(x.v, axis=axis, dtype=dtype, keepdims=keepdims))
    relative = np.sum(_relative(x), axis=axis, keepdims=keepdims)
    terms = x.v.size / max(1, z.size)
    return result(z, np.abs(z) * (relative + (terms - 1) * current().accumulated), 0)


def _relative(x: Traced) -> Array:
    return x.scale() / np.maximum(np.abs(x.v), 1e-300)


def _near_extreme(x: Traced, z: Array, axis: Any) -> Array:
    """The largest scale among elements that may be the extreme one."""
    scale = x.scale()
    distance = np.abs(x.v - z)
    reach = 2 * current().least * current().epsilon * (scale + np.max(scale, axis=axis, keepdims=True))
    return np.max(np.where((distance <= reach) | (distance == 0), scale, 0.0), axis=axis, keepdims=True)


def _extreme(function: Any, neutral: float) -> Callable[..., Traced]:
    def apply(
        x: Any, axis: Any = None, *, keepdims: Any = False, where: Any = None, initial: Any = None
    ) -> Traced:
        x = _masked(x, where, neutral)
        if _bare(initial) is not None:
            held = lift(initial)
            least = apply(x, axis, keepdims=keepdims) if x.v.size else held
            return (np.maximum if neutral < 0 else np.minimum)(least, held)
        z = function(x.v, axis=axis, keepdims=True)
        scale = None if x.s is None else _near_extreme(x, z, axis)
        made = Traced(z, scale, narrow=x.narrow)
        if _bare(keepdims):
            return made
        shape = np.shape(function(x.v, axis=axis))
        return made.reshape(shape)

    return apply


_largest = rule(np.max, np.amax)(_extreme(np.max, -math.inf))
_smallest = rule(np.min, np.amin)(_extreme(np.min, math.inf))


@rule(np.ptp)
def _span(x: Any, axis: Any = None, **keywords: Any) -> Any:
    return _largest(x, axis, **keywords) - _smallest(x, axis, **keywords)


@rule(np.cumsum)
def cumsum_of(x: Any, axis: Any = None, dtype: Any = None) -> Traced:
    """Running sums, each of them a sum of its own."""
    x = lift(x)
    z = np.asarray(np.cumsum(x.v, axis=axis, dtype=dtype))
    passed = None if x.s is None else np.cumsum(x.summand(), axis=axis)
    if z.dtype.kind not in "fc":
        return Traced(z, passed)
    shape = [1] * z.ndim
    shape[axis or 0] = z.shape[axis or 0]
    terms = np.arange(1, shape[axis or 0] + 1, dtype=np.float64).reshape(shape)
    own = current().of_sum(np.cumsum(np.abs(x.v), axis=axis), z, terms)
    return Traced(z, finite(_plus(own, passed)))


@rule(np.cumprod)
def cumprod_of(x: Any, axis: Any = None, dtype: Any = None) -> Traced:
    """Running products: relative errors add up."""
    x = lift(x)
    z = np.asarray(np.cumprod(x.v, axis=axis, dtype=dtype))
    relative = np.cumsum(_relative(x) + current().accumulated, axis=axis)
    return result(z, np.abs(z) * relative, 0)


def _running_extreme(ufunc: Any) -> Callable[..., Traced]:
    def apply(x: Any, axis: int = 0, dtype: Any = None, **keywords: Any) -> Traced:
        x = lift(x)
        z = ufunc.accumulate(x.v, axis=axis)
        return Traced(z, None if x.s is None else np.maximum.accumulate(x.s, axis=axis), narrow=x.narrow)

    return apply


def _by_slices(ufunc: Any, combine: Callable[..., Any]) -> Callable[..., Traced]:
    """`reduceat`: each slice by the rule of the whole."""

    def apply(x: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Traced:
        x = lift(x)
        starts = [int(start) for start in np.asarray(plain(indices))]
        ends = [*starts[1:], x.shape[axis]]
        rows = np.moveaxis(x, axis, 0)
        parts = [
            combine(rows[start:end], axis=0) if end > start else rows[start]
            for start, end in zip(starts, ends, strict=True)
        ]
        made = np.moveaxis(np.stack(parts), 0, axis)
        return Traced(ufunc.reduceat(x.v, starts, axis=axis), made.s)

    return apply


def _outer(ufunc: Any) -> Callable[..., Traced]:
    def apply(x: Any, y: Any, **keywords: Any) -> Traced:
        x, y = lift(x), lift(y)
        return ufunc(x.reshape(x.shape + (1,) * y.ndim), y)

    return apply


def _scatter(ufunc: Any) -> Callable[..., None]:
    """`ufunc.at`: elements that are met more than once add up in some order."""

    def apply(x: Traced, indices: Any, values: Any = None) -> None:
        where, values = plain(indices), lift(values)
        given = values.scale() + np.abs(values.v) * current().accumulated
        added = np.broadcast_to(given, x.v[where].shape)
        scale = x.scale().copy()
        if ufunc is np.subtract or ufunc is np.add:
            np.add.at(scale, where, added)
        elif ufunc in (np.maximum, np.minimum):
            np.maximum.at(scale, where, np.broadcast_to(values.scale(), x.v[where].shape))
        else:
            raise Untraceable(f"no rule for np.{ufunc.__name__}.at")
        ufunc.at(x.v, where, values.v)
        x[...] = Traced(x.v.copy(), scale if scale.any() else None)

    return apply


def _all_or_any(function: Any) -> Callable[..., Traced]:
    def apply(x: Any, axis: Any = None, *, keepdims: Any = False, **keywords: Any) -> Traced:
        x = lift(x)
        keepdims = bool(_bare(keepdims) or False)
        z = function(x.v, axis=axis, keepdims=keepdims)
        return Traced(z, None if x.s is None else np.max(x.s, axis=axis, keepdims=keepdims))

    return apply


_REDUCED: dict[Any, Callable[..., Any]] = {
    np.add: sum_of,
    np.multiply: prod_of,
    np.maximum: _largest,
    np.minimum: _smallest,
    np.fmax: _largest,
    np.fmin: _smallest,
    np.logical_and: _all_or_any(np.all),
    np.logical_or: _all_or_any(np.any),
}


def _reduce(whole: Callable[..., Any]) -> Callable[..., Any]:
    """`ufunc.reduce` is the function of the same name, but along the first axis."""

    def apply(x: Any, axis: Any = 0, dtype: Any = None, **keywords: Any) -> Any:
        return whole(x, axis, **_axes(keywords))

    return apply


def _accumulate(running: Callable[..., Any]) -> Callable[..., Any]:
    def apply(x: Any, axis: int = 0, dtype: Any = None) -> Any:
        return running(x, axis)

    return apply


for _ufunc, _whole in _REDUCED.items():
    METHOD_RULES["reduce", _ufunc] = _reduce(_whole)
    METHOD_RULES["reduceat", _ufunc] = _by_slices(_ufunc, _whole)
for _ufunc in (np.add, np.subtract, np.maximum, np.minimum):
    METHOD_RULES["at", _ufunc] = _scatter(_ufunc)
for _ufunc in (np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.power, np.hypot):
    METHOD_RULES["outer", _ufunc] = _outer(_ufunc)
for _ufunc in (np.less, np.greater, np.equal, np.less_equal, np.greater_equal):
    METHOD_RULES["outer", _ufunc] = _outer(_ufunc)
for _ufunc in (np.maximum, np.minimum, np.fmax, np.fmin):
    METHOD_RULES["accumulate", _ufunc] = _running_extreme(_ufunc)
METHOD_RULES["accumulate", np.add] = _accumulate(cumsum_of)
METHOD_RULES["accumulate", np.multiply] = _accumulate(cumprod_of)


@rule(np.cumulative_sum)
def _cumulative_sum(x: Any, *, axis: Any = None, **keywords: Any) -> Traced:
    if keywords:
        raise Untraceable("np.cumulative_sum with options")
    return cumsum_of(x, axis)


@rule(np.cumulative_prod)
def _cumulative_product(x: Any, *, axis: Any = None, **keywords: Any) -> Traced:
    if keywords:
        raise Untraceable("np.cumulative_prod with options")
    return cumprod_of(x, axis)


rule(np.all)(_all_or_any(np.all))
rule(np.any)(_all_or_any(np.any))
