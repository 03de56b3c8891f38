"""Float64 arithmetic near the ends of the range, where error terms underflow or products overflow.

Operands are split into significands in [1/2, 1) and exponents, so that the error-free transformations hold again
(Dekker, "A floating-point technique for extending the available precision", Numerische Mathematik 18, 1971, and
Knuth, TAOCP 2, 4.2.2); what they give is rounded once, in integers, to as many bits as the result has.
"""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.ptx.types import F64

_BIG, _TINY = 2.0**990, 2.0**-950
_SPLIT = float(2**27 + 1)
_APART = 200
"""Exponents further apart than that: the smaller term only says on which side of the larger one the sum lies."""

_BITS, _LEAST = 53, -1074
_PLACES = 61
"""Bits that a significand has as an integer: eight more than its own, the last of them sticky."""


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """The rounded sum and its exact error."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """The rounded float64 product and its exact error, for factors below 2**995."""
    p = a * b
    ah = a * _SPLIT
    ah = ah - (ah - a)
    al = a - ah
    bh = b * _SPLIT
    bh = bh - (bh - b)
    bl = b - bh
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def hard_lanes(operands: tuple[Array, ...], product: Array) -> Array:
    """Lanes with finite operands whose product or quotient leaves the range where its error is a float64 too."""
    sizes = [np.abs(operand) for operand in operands]
    finite = np.isfinite(sum(operand * 0 for operand in operands))
    largest = np.maximum(np.maximum.reduce(np.broadcast_arrays(*sizes)), np.abs(product))
    smallest = np.minimum.reduce(np.broadcast_arrays(np.abs(product), *sizes[:2]))
    nonzero = (sizes[0] != 0) & (sizes[1] != 0)
    return finite & nonzero & (~(largest < _BIG) | (smallest < _TINY))


def settle(name: str, operands: tuple[Array, ...], result: Array, lanes: Array, mode: str) -> Array:
    """Compute `name` in some lanes exactly and round once; the other lanes keep `result`.

    Args:
        name: add, sub, mul, div or fma.
        operands: Float64, finite in those lanes; the first two are not zero.
        result: What the other lanes keep, and what decides the sign of an exact zero.
        lanes: Which to compute, bool.
        mode: rn (or empty), rz, rm (down) or rp (up).
    """
    shape = np.broadcast_shapes(lanes.shape, result.shape, *(operand.shape for operand in operands))
    settled = np.broadcast_to(result, shape).copy()
    where = np.broadcast_to(lanes, shape)
    a, b, *c = (np.broadcast_to(operand, shape)[where] for operand in operands)
    with np.errstate(all="ignore"):
        if name == "div":
            parts = _quotient(a, b)
        elif name in {"add", "sub"}:
            parts = _sum_of_product(a, np.ones_like(a), b if name == "add" else -b)
        else:
            parts = _sum_of_product(a, b, c[0] if c else np.zeros_like(a))
        settled[where] = _rounded(parts, settled[where], mode)
    return settled


_Parts = tuple[Array, Array, Array, Array]
"""`(high + low + tail) * 2**exponent`: low below high, and of the tail, below both, only the sign matters."""


def _sum_of_product(a: Array, b: Array, c: Array) -> _Parts:
    """A * b + c."""
    (a, a_exponent), (b, b_exponent), (c, c_exponent) = np.frexp(a), np.frexp(b), np.frexp(c)
    product, rest = two_product(a, b)
    exponent = a_exponent + b_exponent
    apart = c_exponent - exponent
    c = np.ldexp(c, np.clip(apart, -_APART, _APART))
    exponent = np.where((apart > _APART) & (c != 0), c_exponent - _APART, exponent)
    first, first_rest = two_sum(c, rest)
    high, second_rest = two_sum(product, first)
    middle, tail = two_sum(first_rest, second_rest)
    high, low = two_sum(high, middle)
    low, tail = two_sum(low, tail)
    return high, low, tail, exponent


def _quotient(a: Array, b: Array) -> _Parts:
    """A / b: the rounded quotient, what is missing rounded too, and the sign of what is missing then."""
    (a, a_exponent), (b, b_exponent) = np.frexp(a), np.frexp(b)
    high = a / b
    left = _remainder(a, high, b)
    low = left / b
    return high, low, _remainder(left, low, b) * np.sign(b), a_exponent - b_exponent


def _remainder(a: Array, quotient: Array, b: Array) -> Array:
    """A - quotient * b, which is a float64 where the quotient is a / b rounded to nearest."""
    product, rest = two_product(quotient, b)
    return (a - product) - rest


def _rounded(parts: _Parts, zero: Array, mode: str) -> Array:
    """One rounding, to as many bits as a float64 of that size has; `zero` where the value is exactly zero."""
    high, low, tail, exponent = parts
    negative = np.signbit(high)
    high, low, tail = (np.where(negative, -part, part) for part in (high, low, tail))
    _, place = np.frexp(high)
    low = np.ldexp(low, _PLACES - place)
    floor = np.floor(low)
    sticky = (low != floor) | (tail != 0)
    floor = floor - ((low == floor) & (tail < 0))
    whole = np.ldexp(high, _PLACES - place).astype(np.int64) + floor.astype(np.int64)
    whole = whole | sticky
    top = _PLACES - 2 + (whole >> (_PLACES - 1)) + (whole >> _PLACES)
    scale = exponent + place - _PLACES
    kept = np.minimum(_BITS, top + scale - _LEAST + 1)
    shift = np.minimum(top + 1 - kept, 63)
    kept_bits, lost = whole >> shift, whole & ((np.int64(1) << shift) - 1)
    half = np.int64(1) << (shift - 1)
    if mode in {"", "rn"}:
        up = (lost > half) | ((lost == half) & (kept_bits & 1 == 1))
    else:
        up = (lost != 0) & (negative if mode == "rm" else ~negative) & (mode != "rz")
    value: Array = np.ldexp((kept_bits + up).astype(F64), np.maximum(scale + shift, _LEAST))
    stays = (mode == "rz") | ((mode == "rm") & ~negative) | ((mode == "rp") & negative)
    value = np.where(np.isinf(value) & stays, np.finfo(F64).max, value)
    return np.where(high == 0, zero, np.where(negative, -value, value))


def root_error(value: Array, root: Array) -> Array:
    """The sign of sqrt(value) - root, float64, exactly; 0 where the value has no root or is infinite."""
    significand, exponent = np.frexp(value)
    odd = exponent & 1
    significand, exponent = np.ldexp(significand, odd), exponent - odd
    root = np.ldexp(root, -(exponent // 2))
    with np.errstate(all="ignore"):
        sign = np.sign(_remainder(significand, root, root))
    return np.where(np.isfinite(value) & (value > 0), sign, 0.0)
