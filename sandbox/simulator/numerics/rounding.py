"""Exact IEEE 754 arithmetic where NumPy's own is not enough: fused multiply-add, directed rounding, flushing.

Methods: error-free transformations (Knuth's TwoSum, Dekker's product) and rounding to odd
(Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", IEEE Trans. Computers 57(4), 2008).
"""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.numerics.exact import hard_lanes, settle, two_product, two_sum
from sandbox.simulator.ptx.types import F32, F64, U32, U64

_ABOVE29 = np.uint64(64 - 29)
_TIE29 = np.uint64(1 << 63)
"""The lowest 29 bits, moved to the top, of what lies halfway between two float32."""
_ONE64 = np.uint64(1)
_LEAST32 = np.float32(2.0**-126)
_MANY = 2048
"""Values from which on integers are quicker than `np.nextafter`."""
_TINY32 = np.uint64((np.array(2.0**-126).view(np.uint64).item() << 1) - 1)
"""Twice the bits of the smallest normal float32 as a float64, less one: twice those of smaller ones, less one, are
below it, and those of zero are not."""


def _to_odd(s: Array, error: Array) -> Array:
    """Round-to-odd of s + error, where s is the float64 nearest to it."""
    bits = s.view(U64)
    inexact = (error != 0) & np.isfinite(s)
    even = (bits & _ONE64) == 0
    toward = np.where(error > 0, np.inf, -np.inf)
    return np.where(inexact & even, np.nextafter(s, toward), s)


def fma_to_odd(a: Array, b: Array, c: Array) -> Array:
    """A * b + c in float64 rounded to odd, ready for one rounding more; exact products only (24-bit factors)."""
    product = a * b
    s, error = two_sum(product, c)
    return _to_odd(s, error)


def fma32(a: Array, b: Array, c: Array) -> Array:
    """Correctly rounded a * b + c in float32.

    The product is exact in float64. Rounding the sum to float64 and then to float32 errs only where the first
    rounding lands on a tie of the second, or where the result is subnormal: those lanes are redone.
    """
    product = np.multiply(a, b, dtype=F64)
    wide = product + c
    bits = wide.view(U64)
    again = (bits << _ABOVE29) == _TIE29
    result: Array = wide.astype(F32)
    if np.count_nonzero(np.abs(result) <= _LEAST32):  # zeros too, which is why the next line looks closer
        again |= (bits << _ONE64) - _ONE64 < _TINY32
    if np.count_nonzero(again):
        lanes = (np.broadcast_to(value, wide.shape)[again].astype(F64) for value in (product, c))
        result[again] = _to_odd(*two_sum(*lanes)).astype(F32)
    return result


def fma64(a: Array, b: Array, c: Array) -> Array:
    """Correctly rounded a * b + c in float64."""
    uh, ul = two_product(a, b)
    th, tl = two_sum(c, ul)
    vh, vl = two_sum(uh, th)
    z, error = two_sum(tl, vl)
    result = vh + _to_odd(z, error)
    plain = uh + c
    result = np.where(np.isfinite(result) & (result != 0), result, plain)
    hard = hard_lanes((a, b, c), uh)
    return settle("fma", (a, b, c), result, hard, "rn") if hard.any() else result


def directed(nearest: Array, exact: Array, error: Array, mode: str) -> Array:
    """Move a nearest-rounded float32 or float64 to the neighbour that `mode` asks for.

    Args:
        nearest: The result rounded to nearest in the final type.
        exact: Float64 value near the true result.
        error: The true result minus `exact`; only its sign matters. 0 or NaN where `exact` is infinite.
        mode: rz, rm (down) or rp (up).
    """
    wide = nearest.astype(F64)
    equal = wide == exact
    if mode == "rp":
        return _moved(nearest, (wide < exact) | (equal & (error > 0)), up=True)
    above = (wide > exact) | (equal & (error < 0))
    if mode == "rm":
        return _moved(nearest, above, up=False)
    below = (wide < exact) | (equal & (error > 0))
    positive = exact > 0
    return _moved(_moved(nearest, above & positive, up=False), below & ~positive, up=True)


def _moved(value: Array, where: Array, *, up: bool) -> Array:
    """Move some lanes to the next float: `np.nextafter`, by integers where there are many and no zero among them.

    The bits of floats of one sign are in order, and the one after the largest is infinity (IEEE 754-2019, 3.4).
    """
    signed = np.dtype(f"int{value.itemsize * 8}")
    bits = value.view(signed)
    zero = np.iinfo(signed).min if up else 0  # of the sign that the step leaves
    if value.size < _MANY or np.count_nonzero((bits == zero) & where):
        return np.where(where, np.nextafter(value, value.dtype.type(np.inf if up else -np.inf)), value)
    step = bits >> signed.type(value.itemsize * 8 - 1) | signed.type(1)  # -1 for negative values
    step = step * where
    return (bits + step if up else bits - step).view(value.dtype)


def flush(value: Array) -> Array:
    """Replace subnormals by zero of the same sign (.ftz)."""
    small = np.abs(value) < np.finfo(value.dtype).tiny
    return (
        np.where(small, np.copysign(value.dtype.type(0), value), value) if np.count_nonzero(small) else value
    )


def relu(value: Array) -> Array:
    """Clamp negative values to zero; NaN stays NaN (.relu)."""
    return np.where((value > 0) | np.isnan(value), value, value.dtype.type(0))


def saturate(value: Array) -> Array:
    """Clamp to [0, 1]; NaN becomes 0 (.sat)."""
    clamped = np.clip(value, value.dtype.type(0), value.dtype.type(1))
    unknown = np.isnan(value)
    return np.where(unknown, value.dtype.type(0), clamped) if np.count_nonzero(unknown) else clamped


def bf16_to_f32(bits: Array) -> Array:
    """Widen bfloat16 bits, uint16."""
    return (bits.astype(U32) << np.uint32(16)).view(F32)


def f32_to_bf16(value: Array) -> Array:
    """Round float32 to bfloat16 bits, uint16, ties to even."""
    bits = np.ascontiguousarray(value).view(U32)
    rounded = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
    result = (rounded >> np.uint32(16)).astype(np.uint16)
    return np.where(np.isnan(value), np.uint16(0x7FFF), result)


def f64_to_odd_f32(value: Array) -> Array:
    """Round float64 to float32 to odd, so that a further rounding to fewer bits is right."""
    nearest = value.astype(F32)
    toward_zero = directed(nearest, value, np.zeros((1, 1, 1)), "rz")
    inexact = toward_zero.astype(F64) != value
    bits = np.ascontiguousarray(toward_zero).view(U32)
    odd: Array = np.where(inexact & np.isfinite(value), bits | np.uint32(1), bits)
    return odd.view(F32)


_WHOLE = {"": np.rint, "rn": np.rint, "rz": np.trunc, "rm": np.floor, "rp": np.ceil}


def round_to(value: Array, digits: int, least: int, largest: float, mode: str) -> Array:
    """Round float64 to a narrower binary format, subnormals included; the result stays float64.

    Args:
        value: Exact, float64.
        digits: Bits of the format's significand.
        least: Its smallest normal exponent.
        largest: Its largest finite value; what lies beyond becomes infinite or that value, as `mode` says.
        mode: rn, rz, rm (down) or rp (up).
    """
    _, exponent = np.frexp(value)
    unit = np.maximum(exponent - 1, least) - (digits - 1)
    rounded = np.ldexp(_WHOLE[mode](np.ldexp(value, -unit)), unit)
    stays = (mode == "rz") | ((mode == "rm") & (value > 0)) | ((mode == "rp") & (value < 0))
    over = np.copysign(np.where(stays, largest, np.inf), value)
    return np.where(np.isfinite(value), np.where(np.abs(rounded) > largest, over, rounded), value)


def sticky(value: Array) -> Array:
    """A 64-bit integer as the float64 that rounds to at most 24 bits as the integer itself does."""
    low, high = value.dtype.type(0x7FF), value >> value.dtype.type(53)
    inexact = (value & low != 0) & (high != 0) & (high + value.dtype.type(1) != 0)
    return np.where(inexact, (value | low) ^ low | value.dtype.type(0x800), value).astype(F64)
