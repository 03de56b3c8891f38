"""Integer arithmetic (PTX ISA 9.0, section 9.7.1)."""

# Formulas are lambdas of one to four arrays behind one `Callable[..., Array]`: their parameters carry no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Formula, Modifiers, formula, refuse, same
from sandbox.simulator.instructions.floating import float_formula
from sandbox.simulator.instructions.half import packed_formula
from sandbox.simulator.ptx.types import TYPES, PtxType


def _wide(kind: PtxType) -> PtxType:
    return TYPES[f"{kind.kind}{kind.bits * 2}"]


def _arithmetic(m: Modifiers, name: str, function: Callable[..., Array]) -> Formula:
    """Add, sub, mul, min, max, neg, abs: the type decides whether it is integer, float or packed."""
    kind = m.type
    count = 1 if name in {"neg", "abs"} else 2
    if kind.is_float:
        return float_formula(m, name)
    if kind.name in {"bf16", "bf16x2", "f16x2", "u16x2", "s16x2"}:
        return packed_formula(m, name)
    if "sat" in m:
        return same(kind, count, _saturating(function))
    if "relu" in m:
        return same(kind, count, lambda a, b: np.maximum(function(a, b), kind.dtype.type(0)))
    return same(kind, count, function)


def _saturating(function: Callable[..., Array]) -> Callable[..., Array]:
    def saturated(a: Array, b: Array) -> Array:
        wide = function(a.astype(np.int64), b.astype(np.int64))
        return np.clip(wide, -(2**31), 2**31 - 1).astype(np.int32)

    return saturated


@formula("add", "9.7.1.1, 9.7.3.3, 9.7.4.1")
def add(m: Modifiers) -> Formula:
    """The sum."""
    return _arithmetic(m, "add", np.add)


@formula("sub", "9.7.1.2, 9.7.3.4, 9.7.4.2")
def sub(m: Modifiers) -> Formula:
    """The difference."""
    return _arithmetic(m, "sub", np.subtract)


@formula("mul", "9.7.1.3, 9.7.3.5, 9.7.4.3")
def mul(m: Modifiers) -> Formula:
    """The product; of integers the low half, the high half or the whole."""
    kind = m.type
    if kind.kind not in "us" or kind.name.endswith("x2"):
        return _arithmetic(m, "mul", np.multiply)
    if "wide" in m:
        wide = _wide(kind)
        return Formula((kind, kind), wide, lambda a, b: a.astype(wide.dtype) * b.astype(wide.dtype))
    if "hi" in m:
        return same(kind, 2, lambda a, b: multiply_high(a, b, kind))
    return same(kind, 2, np.multiply)


@formula("mad", "9.7.1.4, 9.7.3.7")
def mad(m: Modifiers) -> Formula:
    """The product plus c; of integers its low half, high half or the whole."""
    kind = m.type
    if kind.is_float:
        return float_formula(m, "fma")
    if "wide" in m:
        wide = _wide(kind)
        return Formula(
            (kind, kind, wide), wide, lambda a, b, c: a.astype(wide.dtype) * b.astype(wide.dtype) + c
        )
    if "hi" in m:
        return same(kind, 3, lambda a, b, c: multiply_high(a, b, kind) + c)
    return same(kind, 3, lambda a, b, c: a * b + c)


def multiply_high(a: Array, b: Array, kind: PtxType) -> Array:
    """The upper half of the double-width product."""
    if kind.bits < 64:
        wide = _wide(kind).dtype
        return (a.astype(wide) * b.astype(wide) >> wide.type(kind.bits)).astype(kind.dtype)
    ua, ub = a.view(np.uint64), b.view(np.uint64)
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    a0, a1, b0, b1 = ua & low, ua >> half, ub & low, ub >> half
    middle = a1 * b0 + (a0 * b0 >> half)
    high = a1 * b1 + (middle >> half) + ((a0 * b1 + (middle & low)) >> half)
    if kind.is_signed:
        high = high - np.where(a < 0, ub, np.uint64(0)) - np.where(b < 0, ua, np.uint64(0))
    return high.view(kind.dtype)


@formula("mul24", "9.7.1.5")
def mul24(m: Modifiers) -> Formula:
    """The low 32 bits of a 24-bit product."""
    if "hi" in m:
        raise refuse("mul24.hi")
    return same(m.type, 2, lambda a, b: _low24(a, m.type) * _low24(b, m.type))


@formula("mad24", "9.7.1.6")
def mad24(m: Modifiers) -> Formula:
    """The low 32 bits of a 24-bit product, plus c."""
    if "hi" in m:
        raise refuse("mad24.hi")
    return same(m.type, 3, lambda a, b, c: _low24(a, m.type) * _low24(b, m.type) + c)


def _low24(value: Array, kind: PtxType) -> Array:
    eight = kind.dtype.type(8)
    return value << eight >> eight


@formula("sad", "9.7.1.7")
def sad(m: Modifiers) -> Formula:
    """The absolute difference of a and b, plus c."""
    return same(m.type, 3, lambda a, b, c: c + np.where(a < b, b - a, a - b))


@formula("div", "9.7.1.8, 9.7.3.8")
def div(m: Modifiers) -> Formula:
    """The quotient; of integers toward zero, and by zero (unspecified in PTX) all ones."""
    kind = m.type
    if kind.is_float:
        return float_formula(m, "div")
    return same(kind, 2, lambda a, b: _quotient(a, b, kind)[0])


@formula("rem", "9.7.1.9")
def rem(m: Modifiers) -> Formula:
    """Integer remainder with the sign of the dividend."""
    return same(m.type, 2, lambda a, b: _quotient(a, b, m.type)[1])


def _quotient(a: Array, b: Array, kind: PtxType) -> tuple[Array, Array]:
    zero = b == 0
    divisor = np.where(zero, kind.dtype.type(1), b)
    if not kind.is_signed:
        quotient = a // divisor
    else:
        # Floor to truncation; the one overflow, minimum / -1, wraps as on the device.
        minus_one = divisor == -1
        safe = np.where(minus_one, kind.dtype.type(1), divisor)
        floor = a // safe
        inexact = (a - floor * safe != 0) & ((a < 0) != (safe < 0))
        quotient = np.where(minus_one, -a, floor + inexact.astype(kind.dtype))
    quotient = np.where(zero, ~kind.dtype.type(0), quotient)
    return quotient, np.where(zero, a, a - quotient * divisor)


@formula("abs", "9.7.1.10, 9.7.3.9, 9.7.4.6")
def absolute(m: Modifiers) -> Formula:
    """The absolute value."""
    return _arithmetic(m, "abs", np.abs)


@formula("neg", "9.7.1.11, 9.7.3.10, 9.7.4.5")
def negate(m: Modifiers) -> Formula:
    """The negative."""
    return _arithmetic(m, "neg", np.negative)


@formula("min", "9.7.1.12, 9.7.3.11, 9.7.4.7")
def minimum(m: Modifiers) -> Formula:
    """The smaller."""
    return _arithmetic(m, "min", np.minimum)


@formula("max", "9.7.1.13, 9.7.3.12, 9.7.4.8")
def maximum(m: Modifiers) -> Formula:
    """The larger."""
    return _arithmetic(m, "max", np.maximum)


@formula("dp4a", "9.7.1.23")
def dp4a(m: Modifiers) -> Formula:
    """Four-way byte dot product accumulate."""
    return _dot_product(m, 4)


@formula("dp2a", "9.7.1.24")
def dp2a(m: Modifiers) -> Formula:
    """Two-way halfword by byte dot product accumulate; `.hi` takes the upper bytes of b."""
    return _dot_product(m, 2)


def _dot_product(m: Modifiers, ways: int) -> Formula:
    left, right = m.types[-2], m.types[-1]
    result = TYPES["s32"] if "s" in (left.kind, right.kind) else TYPES["u32"]
    first = 2 if "hi" in m else 0

    def dot(a: Array, b: Array, c: Array) -> Array:
        total = c
        for i in range(ways):
            x = _lane(a, 32 // ways, i, left.is_signed)
            y = _lane(b, 8, i + first, right.is_signed)
            total = total + (x * y).astype(result.dtype)
        return total

    return Formula((TYPES["u32"], TYPES["u32"], result), result, dot)


def _lane(value: Array, bits: int, index: int, signed: bool) -> Array:
    """Field `index` of `bits` bits, sign or zero extended to int64."""
    field = value.astype(np.int64) >> (bits * index) & ((1 << bits) - 1)
    return field - ((field >> (bits - 1)) << bits) if signed else field
