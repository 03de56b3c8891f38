"""Rules of ufuncs: how an element's error follows from those of its operands.

The units of own rounding are the maximum errors of CUDA's float32 functions (CUDA C++ Programming Guide,
"Mathematical Functions"), in units in the last place; arithmetic has one, where a correctly rounded result has half
of one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.dtypes import FLOATS
from sandbox.reference import special
from sandbox.reference.running_error.array import UFUNC_RULES, Traced, finite, lift
from sandbox.reference.running_error.precision import Array, current, np

Derivative = Callable[[Any, Any], Any]
"""From value and result the absolute value of the derivative."""

_LN2, _LN10 = math.log(2), math.log(10)
_TINY = 1e-300


def _root(x: Any, z: Any) -> Any:
    return 0.5 / np.maximum(np.abs(z), _TINY)


def _gaussian(x: Any, z: Any) -> Any:
    return 2 / math.sqrt(math.pi) * np.exp(-x * x)


def _of_gamma(x: Any, z: Any) -> Any:
    return np.abs(z) * np.abs(special.digamma(x))


def _one(x: Any, z: Any) -> Any:
    return 1.0


_SMOOTH: dict[Any, tuple[Derivative, float]] = {
    np.exp: (lambda x, z: np.abs(z), 2),
    np.exp2: (lambda x, z: np.abs(z) * _LN2, 2),
    np.expm1: (lambda x, z: np.abs(z + 1), 2),
    np.log: (lambda x, z: 1 / np.abs(x), 2),
    np.log2: (lambda x, z: 1 / np.abs(x) / _LN2, 2),
    np.log10: (lambda x, z: 1 / np.abs(x) / _LN10, 2),
    np.log1p: (lambda x, z: 1 / np.abs(1 + x), 2),
    np.sqrt: (_root, 1),
    np.cbrt: (lambda x, z: 1 / (3 * z * z + _TINY), 2),
    np.square: (lambda x, z: 2 * np.abs(x), 1),
    np.reciprocal: (lambda x, z: np.abs(z * z), 1),
    np.sin: (lambda x, z: np.abs(np.cos(x)), 2),
    np.cos: (lambda x, z: np.abs(np.sin(x)), 2),
    np.tan: (lambda x, z: 1 + np.abs(z * z), 4),
    np.arcsin: (lambda x, z: 1 / np.sqrt(np.maximum(1 - x * x, 1e-16)), 4),
    np.arccos: (lambda x, z: 1 / np.sqrt(np.maximum(1 - x * x, 1e-16)), 4),
    np.arctan: (lambda x, z: 1 / (1 + x * x), 2),
    np.sinh: (lambda x, z: np.cosh(x), 3),
    np.cosh: (lambda x, z: np.abs(np.sinh(x)), 2),
    np.tanh: (lambda x, z: np.abs(1 - z * z), 3),
    np.arcsinh: (lambda x, z: 1 / np.sqrt(1 + x * x), 3),
    np.arccosh: (lambda x, z: 1 / np.sqrt(np.maximum(x * x - 1, 1e-16)), 4),
    np.arctanh: (lambda x, z: 1 / np.abs(1 - x * x), 3),
    np.degrees: (lambda x, z: 180 / math.pi, 1),
    np.rad2deg: (lambda x, z: 180 / math.pi, 1),
    np.radians: (lambda x, z: math.pi / 180, 1),
    np.deg2rad: (lambda x, z: math.pi / 180, 1),
    np.negative: (_one, 0),
    np.positive: (_one, 0),
    np.absolute: (_one, 0),
    np.fabs: (_one, 0),
    np.conjugate: (_one, 0),
    special.ERF: (_gaussian, 2),
    special.ERFC: (_gaussian, 4),
    special.GAMMA: (_of_gamma, 11),
    special.LGAMMA: (lambda x, z: np.abs(special.digamma(x)), 6),
}
_ROOTS: dict[Any, float] = {np.sqrt: 1, np.arcsin: 2, np.arccos: 2}
"""Functions that go as the root of so many times the distance from where their derivative is infinite."""

_EXACT = (
    np.isnan, np.isinf, np.isfinite, np.signbit, np.invert, np.left_shift, np.right_shift, np.gcd, np.lcm,
    np.bitwise_count,
)  # fmt: skip
_COMPARISONS = (np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal)
_LOGICAL = (np.logical_and, np.logical_or, np.logical_xor, np.bitwise_and, np.bitwise_or, np.bitwise_xor)
_STEPS = (np.floor, np.ceil, np.trunc, np.rint)


def result(z: Any, passed: Any, units: float, *operands: Traced, in_place: bool = False) -> Traced:
    """Return a result with what its operands pass on and `units` of own rounding, none for whole numbers.

    What is added in place is a sum under way, and has the accumulator's precision.
    """
    z = np.asarray(z)
    coarse = _coarse(operands)
    weight = units * (current().accumulated if in_place else _weight(coarse))
    if not weight or z.dtype.kind not in "fc":
        return Traced(z, None if passed is None else finite(passed), coarse=coarse)
    size = np.abs(z)
    if coarse and not in_place and current().dtype == "float16":
        # Below the normal range, which is not far in float16, the spacing stays what it is.
        size = np.where(size == 0, 0.0, np.maximum(size, FLOATS["float16"].smallest_normal))
    own = size * weight
    last = 0.0 if in_place else units
    return Traced(z, finite(own if passed is None else own + passed), last=last, coarse=coarse)


def _coarse(operands: Sequence[Traced]) -> bool:
    return not operands or any(operand.coarse for operand in operands)


def _weight(coarse: bool) -> float:
    precision = current()
    return precision.elementwise if coarse else precision.accumulated


def _sum(parts: Sequence[Array | None]) -> Any:
    known = [part for part in parts if part is not None]
    return sum(known[1:], known[0]) if known else None


def _times(factor: Any, scale: Array | None) -> Any:
    """A scale times a derivative; no error stays none where the derivative is infinite."""
    return None if scale is None else finite(factor * scale)


def _second(one: Array | None, other: Array | None) -> Any:
    """The scale of a product of two errors: all there is where terms cancel to 0 and are squared."""
    precision = current()
    if one is None or other is None:
        return None
    return finite(one * other) * (precision.least * precision.epsilon)


def _smooth(ufunc: Any) -> None:
    derivative, units = _SMOOTH[ufunc]

    def apply(x: Any, *, in_place: bool = False, **kwargs: Any) -> Traced:
        x = lift(x).once_stored() if _SMOOTH[ufunc][1] else lift(x)
        z = special.evaluate(ufunc, x.v, **kwargs)
        scale, passed = x.s, None
        if scale is not None:
            passed = derivative(x.v, z) * scale
            if ufunc in _ROOTS:
                # The root of what is all error is the root of that error, however small the result.
                passed = np.minimum(passed, np.sqrt(_ROOTS[ufunc] * scale / current().epsilon))
            if ufunc is np.square:
                passed = passed + 2 * _second(scale, scale)
        made = result(z, passed, units, x)
        if not units:
            made.last, made.narrow, made.stored = x.last, x.narrow, x.stored
        return made

    UFUNC_RULES[ufunc] = apply


def _exact(ufunc: Any) -> None:
    def apply(*operands: Any, in_place: bool = False, **kwargs: Any) -> Traced:
        traced = [lift(one) for one in operands]
        return Traced(ufunc(*(one.v for one in traced), **kwargs), coarse=_coarse(traced))

    UFUNC_RULES[ufunc] = apply


def _comparison(ufunc: Any) -> None:
    def apply(x: Any, y: Any, *, in_place: bool = False, **kwargs: Any) -> Traced:
        x, y = lift(x), lift(y)
        z = ufunc(x.v, y.v, **kwargs)
        scale = _sum((x.s, y.s))
        if scale is None:
            return Traced(z)
        doubt = current().jump(1.0, _slack(x.v - y.v, scale))
        return Traced(z, doubt if doubt.any() else None)

    UFUNC_RULES[ufunc] = apply


def _slack(distance: Any, scale: Any) -> Any:
    return np.where(scale > 0, np.abs(distance) / np.maximum(scale, _TINY), np.inf)


def _logical(ufunc: Any) -> None:
    def apply(x: Any, y: Any, *, in_place: bool = False, **kwargs: Any) -> Traced:
        x, y = lift(x), lift(y)
        z = np.asarray(ufunc(x.v, y.v, **kwargs))
        return Traced(z, _sum((x.s, y.s)) if z.dtype == np.bool_ else None)

    UFUNC_RULES[ufunc] = apply


def _step(ufunc: Any) -> None:
    def apply(x: Any, *, in_place: bool = False, **kwargs: Any) -> Traced:
        x = lift(x)
        z = ufunc(x.v, **kwargs)
        if x.s is None:
            return Traced(z, coarse=x.coarse)
        offset = x.v + 0.5 if ufunc is np.rint else x.v
        return Traced(z, current().jump(1.0, _slack(offset - np.rint(offset), x.s)), coarse=x.coarse)

    UFUNC_RULES[ufunc] = apply


def _define(ufunc: Any) -> Callable[[Callable[..., Traced]], Callable[..., Traced]]:
    def register(function: Callable[..., Traced]) -> Callable[..., Traced]:
        def apply(x: Any, y: Any, *, in_place: bool = False, **kwargs: Any) -> Traced:
            x, y = lift(x).once_stored(), lift(y)
            return function(ufunc(x.v, y.v, **kwargs), x, y if in_place else y.once_stored(), in_place)

        UFUNC_RULES[ufunc] = apply
        return function

    return register


def _is_zero(x: Traced) -> bool:
    return x.s is None and not x.v.any()


@_define(np.add)
@_define(np.subtract)
def _add(z: Any, x: Traced, y: Traced, in_place: bool) -> Traced:
    if _is_zero(y) or _is_zero(x):
        other = x if _is_zero(y) else y
        return Traced(z, other.s, last=other.last, coarse=other.coarse)
    return result(
        z, _sum((x.s, y.summand() if in_place and y.s is not None else y.s)), 1, x, y, in_place=in_place
    )


@_define(np.multiply)
def _multiply(z: Any, x: Traced, y: Traced, in_place: bool) -> Traced:
    passed = _sum((_times(np.abs(y.v), x.s), _times(np.abs(x.v), y.s), _second(x.s, y.s)))
    return result(z, passed, 2 if np.iscomplexobj(z) else 1, x, y)


@_define(np.divide)
def _divide(z: Any, x: Traced, y: Traced, in_place: bool) -> Traced:
    inverse = 1 / np.abs(y.v)
    passed = _sum((_times(inverse, x.s), _times(np.abs(z) * inverse, y.s)))
    return result(z, passed, 3 if np.iscomplexobj(z) else 1, x, y)


@_define(np.power)
@_define(np.float_power)
def _power(z: Any, x: Traced, y: Traced, in_place: bool) -> Traced:
    precision = current()
    if y.v.ndim == 0 and y.s is None and y.v == 0.5:
        return UFUNC_RULES[np.sqrt](x)
    if y.v.ndim == 0 and y.s is None and float(abs(2 * y.v)) in (2, 3, 4, 6, 8):
        # By products, roots and quotients.
        slope = None
        if x.s is not None:
            size = np.abs(x.v) + (precision.least * precision.epsilon * x.s if y.v > 1 else 0.0)
            slope = np.abs(y.v) * np.power(size, y.v - 1)
        return result(z, _times(slope, x.s), float(max(1, abs(y.v))), x, y)
    size = np.abs(z)
    base = np.maximum(np.abs(x.v), _TINY)
    logarithm = np.abs(np.log(base))
    passed = _sum(
        (
            None if x.s is None else _times(np.abs(y.v) * size / base, x.s),
            None if y.s is None else _times(size * logarithm, y.s),
        )
    )
    # Through exp2(y * log2(x)) the exponent's own rounding counts.
    own = finite(np.abs(y.v) * logarithm * size * _weight(_coarse((x, y))))
    return result(z, _sum((passed, own)), 4, x, y)


def _extreme(ufunc: Any, larger: bool) -> None:
    def apply(x: Any, y: Any, *, in_place: bool = False, **kwargs: Any) -> Traced:
        x, y = lift(x), lift(y)
        z = ufunc(x.v, y.v, **kwargs)
        x, y, narrow = x.once_stored(), y.once_stored(), x.narrow and y.narrow
        if x.s is None and y.s is None:
            return Traced(z, narrow=narrow)
        one, other = x.scale(), y.scale()
        first = np.greater_equal(x.v, y.v) if larger else np.less_equal(x.v, y.v)
        near = current().jump(1.0, _slack(x.v - y.v, one + other)) > 0
        return Traced(z, np.where(near, np.maximum(one, other), np.where(first, one, other)))

    UFUNC_RULES[ufunc] = apply


@_define(np.remainder)
@_define(np.fmod)
def _remainder(z: Any, x: Traced, y: Traced, in_place: bool) -> Traced:
    turns = np.abs(np.floor(x.v / np.where(y.v == 0, 1, y.v)))
    passed = _sum((x.s, _times(turns, y.s)))
    if passed is None:
        return result(z, None, 1, x, y)
    edge = np.minimum(np.abs(z), np.abs(np.abs(y.v) - np.abs(z)))
    return result(z, passed + current().jump(np.abs(y.v), _slack(edge, passed)), 1, x, y)


@_define(np.floor_divide)
def _floor_divide(z: Any, x: Traced, y: Traced, in_place: bool) -> Traced:
    if np.asarray(z).dtype.kind not in "f":
        return Traced(z, coarse=x.coarse or y.coarse)
    return UFUNC_RULES[np.floor](UFUNC_RULES[np.divide](x, y))


@_define(np.arctan2)
def _arctan2(z: Any, x: Traced, y: Traced, in_place: bool) -> Traced:
    square = np.maximum(x.v * x.v + y.v * y.v, _TINY)
    parts = [_times(np.abs(y.v) / square, x.s), _times(np.abs(x.v) / square, y.s)]
    scale = _sum((x.s, y.s))
    if scale is not None:  # it jumps where the sign of 0 does, and has no value at the origin
        behind = np.where(y.v < 0, np.abs(x.v), np.inf)
        near = np.minimum(_slack(behind, x.scale()), _slack(np.sqrt(square), scale))
        parts.append(current().jump(2 * math.pi, near))
    return result(z, _sum(parts), 3, x, y)


@_define(np.hypot)
def _hypot(z: Any, x: Traced, y: Traced, in_place: bool) -> Traced:
    return result(z, _sum([_times(_share(one, z), one.s) for one in (x, y) if one.s is not None]), 3, x, y)


def _share(x: Traced, z: Any) -> Any:
    """How much of a length an operand's error may be: all of it where the length is all error."""
    precision = current()
    return np.minimum(
        1, (np.abs(x.v) + precision.least * precision.epsilon * x.scale()) / np.maximum(np.abs(z), _TINY)
    )


def _log_of_sum(ufunc: Any, exp: Any) -> None:
    def apply(x: Any, y: Any, *, in_place: bool = False, **kwargs: Any) -> Traced:
        x, y = lift(x), lift(y)
        z = ufunc(x.v, y.v, **kwargs)
        passed = _sum((_times(exp(x.v - z), x.s), _times(exp(y.v - z), y.s)))
        larger = np.maximum(np.abs(x.v), np.abs(y.v)) * _weight(_coarse((x, y)))
        return result(z, _sum((passed, finite(larger))), 2, x, y)

    UFUNC_RULES[ufunc] = apply


@_define(np.copysign)
def _copysign(z: Any, x: Traced, y: Traced, in_place: bool) -> Traced:
    return Traced(z, x.s)


def _sign(x: Any, *, in_place: bool = False, **kwargs: Any) -> Traced:
    x = lift(x)
    return Traced(np.sign(x.v), None if x.s is None else current().jump(1.0, _slack(x.v, x.s)))


@_define(np.heaviside)
def _heaviside(z: Any, x: Traced, y: Traced, in_place: bool) -> Traced:
    return Traced(z, None if x.s is None else current().jump(1.0, _slack(x.v, x.s)))


@_define(np.ldexp)
def _ldexp(z: Any, x: Traced, y: Traced, in_place: bool) -> Traced:
    return Traced(z, _times(np.ldexp(1.0, y.v), x.s))


def _logical_not(x: Any, *, in_place: bool = False, **kwargs: Any) -> Traced:
    x = lift(x)
    return Traced(np.logical_not(x.v), x.s if x.v.dtype == np.bool_ else None)


def _modf(x: Any, *, in_place: bool = False, **kwargs: Any) -> tuple[Traced, Traced]:
    whole = UFUNC_RULES[np.trunc](x)
    return UFUNC_RULES[np.subtract](x, whole), whole


def _frexp(x: Any, *, in_place: bool = False, **kwargs: Any) -> tuple[Traced, Traced]:
    x = lift(x)
    fraction, exponent = np.frexp(x.v)
    return Traced(fraction, _times(np.ldexp(1.0, -exponent), x.s)), Traced(exponent, coarse=False)


def _divmod(x: Any, y: Any, *, in_place: bool = False, **kwargs: Any) -> tuple[Traced, Traced]:
    return UFUNC_RULES[np.floor_divide](x, y), UFUNC_RULES[np.remainder](x, y)


for _ufunc in _SMOOTH:
    _smooth(_ufunc)
for _ufunc in _EXACT:
    _exact(_ufunc)
for _ufunc in _COMPARISONS:
    _comparison(_ufunc)
for _ufunc in _LOGICAL:
    _logical(_ufunc)
for _ufunc in _STEPS:
    _step(_ufunc)
for _ufunc in (np.maximum, np.fmax, np.minimum, np.fmin):
    _extreme(_ufunc, _ufunc in (np.maximum, np.fmax))
_log_of_sum(np.logaddexp, np.exp)
_log_of_sum(np.logaddexp2, np.exp2)
UFUNC_RULES[np.sign] = _sign
UFUNC_RULES[np.logical_not] = _logical_not
UFUNC_RULES[np.modf] = _modf
UFUNC_RULES[np.frexp] = _frexp
UFUNC_RULES[np.divmod] = _divmod
