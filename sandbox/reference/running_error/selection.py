"""Rules of functions that choose, order and count elements, and of those that NumPy composes of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.reference.running_error.array import Traced, finite, lift, plain, rule
from sandbox.reference.running_error.elementwise import result
from sandbox.reference.running_error.precision import Array, Untraceable, current, np


@rule(np.where)
def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    condition = lift(condition)
    if x is None:
        return tuple(Traced(one) for one in np.where(condition.v))
    x, y = lift(x), lift(y)
    z = np.where(condition.v, x.v, y.v)
    scale = None
    if x.s is not None or y.s is not None:
        scale = np.where(condition.v, x.scale(), y.scale())
    if condition.s is not None and condition.s.any():
        scale = finite(condition.s * np.abs(x.v - y.v)) + (0 if scale is None else scale)
    last = min(x.last, y.last) if x.s is not None and y.s is not None else max(x.last, y.last)
    return Traced(
        z, scale, last=last, narrow=x.narrow and (y.narrow or not y.v.any()), coarse=x.coarse or y.coarse
    )


@rule(np.select)
def _select(conditions: Any, choices: Any, default: Any = 0) -> Any:
    made: Any = lift(default)
    for condition, choice in reversed(list(zip(conditions, choices, strict=True))):
        made = np.where(condition, choice, made)
    return made


@rule(np.piecewise)
def _piecewise(x: Any, conditions: Any, functions: Any, *args: Any, **keywords: Any) -> Any:
    x = lift(x)
    values = [one(x, *args, **keywords) if callable(one) else one for one in functions]
    default = values.pop() if len(values) > len(conditions) else 0.0
    return _select(conditions, values, default)


@rule(np.choose)
def _choose(index: Any, choices: Any, **keywords: Any) -> Any:
    index = plain(index)
    options = [lift(one) for one in choices]
    made: Any = options[0]
    for place, option in enumerate(options[1:], 1):
        made = np.where(index == place, option, made)
    return made


@rule(np.clip)
def _clip(x: Any, low: Any = None, high: Any = None, **keywords: Any) -> Any:
    low = keywords.get("a_min", keywords.get("min", low))
    high = keywords.get("a_max", keywords.get("max", high))
    made: Any = lift(x)
    if low is not None:
        made = np.maximum(made, low)
    return made if high is None else np.minimum(made, high)


def _neighbours(scale: Array, axis: int) -> Array:
    """The largest of each three in a row: neighbours may change places."""
    rows = np.moveaxis(scale, axis, -1)
    wide = np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(1, 1)])
    return np.moveaxis(np.maximum(np.maximum(wide[..., :-2], wide[..., 2:]), rows), -1, axis)


@rule(np.sort)
def _sort(x: Any, axis: Any = -1, **keywords: Any) -> Traced:
    x = lift(x)
    if axis is None:
        x, axis = x.reshape(-1), -1
    if x.s is None:
        return Traced(np.sort(x.v, axis=axis), narrow=x.narrow)
    order = np.argsort(x.v, axis=axis, kind="stable")
    scale = _neighbours(np.take_along_axis(x.s, order, axis), axis)
    return Traced(np.take_along_axis(x.v, order, axis), scale)


@rule(np.partition)
def _partition(x: Any, kth: Any, axis: Any = -1, **keywords: Any) -> Traced:
    x = lift(x)
    kth = plain(kth)
    if x.s is None:
        return Traced(np.partition(x.v, kth, axis=axis), narrow=x.narrow)
    order = np.argpartition(x.v, kth, axis=axis)
    return Traced(np.partition(x.v, kth, axis=axis), np.take_along_axis(x.s, order, axis))


def _indices(function: Any) -> None:
    """Functions whose result says where elements are, or how many: exact."""

    def apply(*args: Any, **keywords: Any) -> Any:
        found = function(*plain(args), **{name: plain(value) for name, value in keywords.items()})
        if found.__class__ is tuple:
            return tuple(Traced(one) for one in found)
        return Traced(found) if isinstance(found, (np.ndarray, np.generic)) else found

    rule(function)(apply)


for _function in (
    np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.argsort, np.argpartition, np.lexsort, np.searchsorted,
    np.digitize, np.nonzero,
    np.flatnonzero, np.argwhere, np.count_nonzero, np.isin, np.array_equal, np.allclose, np.isclose, np.array_equiv,
    np.isnan, np.iscomplexobj, np.isrealobj, np.unravel_index, np.ravel_multi_index, np.tril_indices_from,
    np.triu_indices_from, np.histogram_bin_edges, np.isposinf, np.isneginf, np.packbits, np.unpackbits,
    np.can_cast, np.min_scalar_type, np.iscomplex, np.isreal,
):  # fmt: skip
    _indices(_function)


@rule(np.unique)
def _unique(x: Any, *args: Any, **keywords: Any) -> Any:
    x = lift(x)
    if x.s is not None and x.s.any():
        raise Untraceable("np.unique of computed values")
    found = np.unique(x.v, *args, **keywords)
    return tuple(Traced(one) for one in found) if found.__class__ is tuple else Traced(found)


@rule(np.bincount)
def _bincount(x: Any, weights: Any = None, minlength: int = 0) -> Traced:
    where = plain(x)
    if weights is None:
        return Traced(np.bincount(where, minlength=minlength))
    weights = lift(weights)
    counts = np.bincount(where, minlength=minlength)
    z = np.bincount(where, weights.v, minlength)
    own = current().of_sum(np.bincount(where, np.abs(weights.v), minlength), z, np.maximum(counts, 1))
    return Traced(z, own + np.bincount(where, weights.summand(), minlength))


@rule(np.histogram)
def _histogram(x: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    if weights is not None or density:
        raise Untraceable("np.histogram with weights or density")
    counts, edges = np.histogram(plain(lift(x)), plain(bins), range)
    return Traced(counts), lift(edges)


@rule(np.nan_to_num)
def _nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, **keywords: Any) -> Traced:
    x = lift(x)
    return Traced(np.nan_to_num(x.v, nan=nan, **keywords), x.s)


@rule(np.round, np.around)
def _round(x: Any, decimals: int = 0) -> Any:
    x = lift(x)
    if decimals == 0 or x.v.dtype.kind in "iub":
        return np.rint(x) if x.v.dtype.kind == "f" else x
    z, step = np.round(x.v, decimals), 10.0**-decimals
    if x.s is None:
        return result(z, None, 1)
    slack = np.abs(np.abs(x.v - z) - step / 2)
    near = current().jump(step, np.where(x.s > 0, slack / np.maximum(x.s, 1e-300), np.inf))
    return result(z, near, 1)


@rule(np.diff)
def _diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    made: Any = np.moveaxis(lift(x), axis, -1)
    for more, first in ((prepend, True), (append, False)):
        if more is not None and more is not np._NoValue:
            edge = lift(more)
            edge = edge if edge.ndim else np.broadcast_to(edge, (*made.shape[:-1], 1))
            made = np.concatenate([edge, made] if first else [made, edge], axis=-1)
    for _ in range(n):
        made = made[..., 1:] - made[..., :-1]
    return np.moveaxis(made, -1, axis)


@rule(np.ediff1d)
def _ediff1d(x: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    ends = [[] if one is None else [lift(one).reshape(-1)] for one in (to_begin, to_end)]
    return np.concatenate([*ends[0], _diff(lift(x).reshape(-1)), *ends[1]])


@rule(np.gradient)
def _gradient(f: Any, *spacing: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = lift(f)
    axes = tuple(range(f.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis
    if edge_order != 1 or any(np.ndim(plain(one)) for one in spacing) or len(spacing) > 1:
        raise Untraceable("np.gradient with uneven spacing or edge_order=2")
    step: Any = spacing[0] if spacing else 1.0
    found: list[Any] = []
    for one in axes:
        x: Any = np.moveaxis(f, one, -1)
        inner = (x[..., 2:] - x[..., :-2]) / (2 * step)
        first, last = (x[..., 1:2] - x[..., 0:1]) / step, (x[..., -1:] - x[..., -2:-1]) / step
        found.append(np.moveaxis(np.concatenate([first, inner, last], axis=-1), -1, one))
    return found[0] if len(found) == 1 else tuple(found)


@rule(np.trapezoid)
def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    values: Any = np.moveaxis(lift(y), axis, -1)
    steps = dx if x is None else _diff(lift(x), axis=axis)
    return np.sum(steps * (values[..., 1:] + values[..., :-1]) / 2.0, axis=-1)


@rule(np.average)
def _average(x: Any, axis: Any = None, weights: Any = None, returned: bool = False, **keywords: Any) -> Any:
    if returned:
        raise Untraceable("np.average with returned=True")
    if weights is None:
        return np.mean(lift(x), axis=axis, **keywords)
    x, weights = lift(x), lift(weights)
    if weights.shape != x.shape:
        shape = [1] * x.ndim
        shape[axis] = weights.size
        weights = weights.reshape(shape)
    spread = np.broadcast_to(weights, x.shape)
    return np.sum(x * weights, axis=axis, **keywords) / np.sum(spread, axis=axis, **keywords)


@rule(np.trace)
def _trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return np.sum(np.diagonal(lift(x), offset, axis1, axis2), axis=-1)


@rule(np.polyval)
def _polyval(coefficients: Any, x: Any) -> Any:
    made: Any = lift(0.0)
    for one in lift(coefficients):
        made = made * x + one
    return made


@rule(np.sinc)
def _sinc(x: Any) -> Any:
    y = np.pi * lift(x)
    safe = np.where(y.v == 0, 1.0, y)
    return np.where(y.v == 0, 1.0, np.sin(safe) / safe)


@rule(np.interp)
def _interp(x: Any, points: Any, values: Any, left: Any = None, right: Any = None) -> Any:
    x, points, values = lift(x), lift(points), lift(values)
    z = np.interp(x.v, points.v, values.v, left, right)
    at = np.clip(np.searchsorted(points.v, x.v) - 1, 0, points.size - 2)
    width = points.v[at + 1] - points.v[at]
    slope = np.abs((values.v[at + 1] - values.v[at]) / width)
    ends = np.maximum(np.abs(values.v[at]), np.abs(values.v[at + 1]))
    around = np.maximum(np.abs(x.v), np.abs(points.v[at]))
    passed = slope * (x.scale() + around) + ends + np.maximum(values.scale()[at], values.scale()[at + 1])
    return result(z, passed, 3)


def _quantile(function: Any, share: Callable[[Any], Any]) -> None:
    def apply(x: Any, q: Any, axis: Any = None, *, keepdims: bool = False, **keywords: Any) -> Any:
        x = lift(x)
        if axis is None:
            x, axis = x.reshape(-1), 0
        if keywords.get("method", "linear") != "linear" or np.ndim(plain(q)) > 1 or isinstance(axis, tuple):
            raise Untraceable("quantiles that are not linear, or of several axes")
        if function in (np.nanquantile, np.nanpercentile) and np.isnan(x.v).any():
            raise Untraceable(f"np.{function.__name__} of NaN")
        if np.ndim(plain(q)):
            return np.stack([apply(x, one, axis, keepdims=keepdims) for one in plain(q)])
        rows: Any = np.moveaxis(_sort(x, axis=axis), axis, 0)
        place = share(float(plain(q))) * (rows.shape[0] - 1)
        low = int(np.floor(place))
        made = rows[low]
        if place > low:
            made = made + (rows[low + 1] - made) * (place - low)
        z = function(x.v, plain(q), axis=axis)
        made = Traced(z, lift(made).s)
        return np.expand_dims(made, axis) if keepdims else made

    rule(function)(apply)


_quantile(np.quantile, lambda q: q)
_quantile(np.percentile, lambda q: q / 100)
_quantile(np.nanquantile, lambda q: q)
_quantile(np.nanpercentile, lambda q: q / 100)


@rule(np.median)
def _median(x: Any, axis: Any = None, **keywords: Any) -> Any:
    made: Any = np.quantile(lift(x), 0.5, axis=axis, keepdims=bool(keywords.get("keepdims")))
    return Traced(np.median(lift(x).v, axis=axis, keepdims=bool(keywords.get("keepdims"))), made.s)


@rule(np.cov)
def _cov(x: Any, rowvar: bool = True, bias: bool = False, ddof: Any = None, **keywords: Any) -> Any:
    x = lift(x)
    rows: Any = x if rowvar or x.ndim == 1 else x.T
    rows = np.atleast_2d(rows)
    centred = rows - np.mean(rows, axis=1, keepdims=True)
    less = ddof if ddof is not None else 0 if bias else 1
    made = centred @ centred.T / (rows.shape[1] - less)
    return np.squeeze(made)


@rule(np.corrcoef)
def _corrcoef(x: Any, rowvar: bool = True, **keywords: Any) -> Any:
    covariance = _cov(x, rowvar)
    deviation = np.sqrt(np.diag(covariance))
    return covariance / (deviation[:, None] * deviation[None, :])


@rule(np.angle)
def _angle(z: Any, deg: bool = False) -> Any:
    z = lift(z)
    turned = np.arctan2(z.imag, z.real)
    return turned * (180 / np.pi) if deg else turned


@rule(np.fix)
def _fix(x: Any) -> Any:
    return np.trunc(lift(x))


@rule(np.i0)
def _bessel(x: Any) -> Traced:
    """Modified Bessel function of order 0; its derivative, that of order 1, is never larger."""
    x = lift(x)
    z = np.i0(x.v)
    return result(z, None if x.s is None else np.abs(z) * x.s, 6, x)


@rule(np.apply_along_axis)
def _apply_along_axis(function: Any, axis: int, x: Any, *args: Any, **keywords: Any) -> Any:
    rows: Any = np.moveaxis(lift(x), axis, -1)
    lead = rows.shape[:-1]
    found = [lift(function(row, *args, **keywords)) for row in rows.reshape((-1, rows.shape[-1]))]
    made: Any = np.reshape(np.stack(found), lead + found[0].shape)
    return np.moveaxis(made, -1, axis) if found[0].ndim else made


@rule(np.vander)
def _vander(x: Any, n: Any = None, increasing: bool = False) -> Any:
    x = lift(x)
    powers = range(n or x.size)
    columns = [x**power for power in (powers if increasing else reversed(powers))]
    return np.stack(columns, axis=-1)
