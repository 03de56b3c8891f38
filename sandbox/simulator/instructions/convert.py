"""Conversions (PTX ISA 9.0, section 9.7.9.21)."""

# Formulas are lambdas of one to four arrays behind one `Callable[..., Array]`: their parameters carry no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Formula, Modifiers, formula, refuse
from sandbox.simulator.instructions.half import join, split
from sandbox.simulator.numerics.exact import two_sum
from sandbox.simulator.numerics.rounding import (
    bf16_to_f32,
    directed,
    f32_to_bf16,
    flush,
    relu,
    round_to,
    saturate,
    sticky,
)
from sandbox.simulator.ptx.types import F16, F32, F64, TYPES, U16, U32, PtxType

Function = Callable[..., Array]
_ROUND: dict[str, Function] = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


@dataclass(frozen=True)
class Format:
    """A binary float format: bits of the significand, smallest normal exponent, largest value."""

    digits: int
    least: int
    largest: float


_FORMATS = {
    "f16": Format(11, -14, 65504.0),
    "bf16": Format(8, -126, float.fromhex("0x1.fep127")),
    "tf32": Format(11, -126, float.fromhex("0x1.ffcp127")),
    "f32": Format(24, -126, float.fromhex("0x1.fffffep127")),
    "e4m3": Format(4, -6, 448.0),
    "e5m2": Format(3, -14, 57344.0),
}


@formula(
    "cvt", "9.7.9.21, 9.7.9.22", "f32, f64, f16, bf16, tf32, e4m3, e5m2 and pairs; every rounding but .rs"
)
def cvt(m: Modifiers) -> Formula:
    """Between any two of the integer and float types, with rounding, saturation and flushing."""
    if "pack" in m:
        return _pack(m)
    result, source = m.types[-2], m.types[-1]
    if "rs" in m or "scaled::n2::ue8m0" in m:
        raise refuse("cvt." + ".".join(m.parts))
    if source.name in {"e4m3x2", "e5m2x2"}:
        return _from_eight_bits(m, result, source)
    if result.name.endswith("x2"):
        return _two_floats(m, result, source)
    return Formula((source,), result, _single(m, result, source))


def _single(m: Modifiers, result: PtxType, source: PtxType) -> Function:
    if not _is_float(source) and not _is_float(result):
        return _integer_to_integer(m, result, source)
    if not _is_float(result):
        return _float_to_integer(m, result, source)
    if not _is_float(source):
        return _integer_to_float(m, result, source)
    return _float_to_float(m, result, source)


def _is_float(kind: PtxType) -> bool:
    return kind.is_float or kind.name in {"bf16", "tf32"}


def _integer_to_integer(m: Modifiers, result: PtxType, source: PtxType) -> Function:
    if "sat" not in m:
        return lambda a: a.astype(result.dtype)
    low, high = _limits(result)
    own_low, own_high = _limits(source)
    low, high = max(low, own_low), min(high, own_high)
    return lambda a: np.clip(a, source.dtype.type(low), source.dtype.type(high)).astype(result.dtype)


def _limits(kind: PtxType) -> tuple[int, int]:
    info = np.iinfo(kind.dtype)
    return int(info.min), int(info.max)


def _float_to_integer(m: Modifiers, result: PtxType, source: PtxType) -> Function:
    """Round, clamp to the integer's range; NaN is 0, or 1 << (bits - 1) from f64 or to 64 bits."""
    rounding = _ROUND[m.rounding or "rzi"]
    low, high = _limits(result)
    ftz = "ftz" in m
    wide = source.bits == 64 or result.bits == 64
    nan = (low or 1 << (result.bits - 1)) if wide else 0

    def convert(a: Array) -> Array:
        value = bf16_to_f32(a) if source.name == "bf16" else a
        value = rounding(flush(value) if ftz else value).astype(F64)
        inside = np.clip(value, float(low), float(high))
        # float(high) may round up to 2**63 or 2**64, which does not fit: those lanes are set apart.
        over, missing = value >= float(high), np.isnan(value)
        safe = np.where(over | missing, 0.0, inside).astype(result.dtype)
        safe = np.where(over, result.dtype.type(high), safe)
        return np.where(missing, result.dtype.type(nan), safe) if nan else safe

    return convert


def _fit(value: Array, kind: PtxType, mode: str) -> Array:
    """Float64 values rounded to a 16- or 32-bit format, as its bits are held in registers."""
    form = _FORMATS[kind.name]
    rounded = round_to(value, form.digits, form.least, form.largest, mode)
    if kind.name == "bf16":
        return f32_to_bf16(rounded.astype(F32))
    narrow = rounded.astype(F32 if kind.name == "tf32" else kind.dtype)
    return narrow.view(kind.dtype)


def _integer_to_float(m: Modifiers, result: PtxType, source: PtxType) -> Function:
    mode = m.rounding
    if result.bits == 64:
        return lambda a: _wide(a, source, mode)
    if result.bits == 32 and mode == "rn":
        return lambda a: a.astype(result.dtype)
    exact: Function = sticky if source.bits == 64 else lambda a: a.astype(F64)
    return lambda a: _fit(exact(a), result, mode)


def _wide(a: Array, source: PtxType, mode: str) -> Array:
    """An integer as float64: the sum of two exact halves, rounded as asked."""
    if mode not in {"rz", "rm", "rp"} or source.bits < 64:
        return a.astype(F64)
    half = a.dtype.type(32)
    value, error = two_sum((a >> half << half).astype(F64), (a & a.dtype.type(0xFFFFFFFF)).astype(F64))
    return directed(value, value, error, mode)


def _float_to_float(m: Modifiers, result: PtxType, source: PtxType) -> Function:
    mode = m.rounding
    narrowing = result.bits < source.bits or result.name in {"bf16", "tf32"}
    form = _FORMATS.get(result.name)

    def convert(a: Array) -> Array:
        value = bf16_to_f32(a) if source.name == "bf16" else a
        if "ftz" in m and value.dtype == F32:
            value = flush(value)
        if mode in _ROUND:
            value = _ROUND[mode](value)
        value = relu(value) if "relu" in m else value
        if "satfinite" in m and form is not None:
            value = np.clip(value, value.dtype.type(-form.largest), value.dtype.type(form.largest))
        if mode == "rna":
            return _tf32(value)
        if narrowing and (mode in {"rz", "rm", "rp"} or result.name in {"bf16", "tf32"}):
            narrow = _fit(value.astype(F64), result, "" if mode in _ROUND else mode)
        else:
            narrow = value.astype(result.dtype)
        narrow = saturate(narrow) if "sat" in m else narrow
        return flush(narrow) if "ftz" in m and narrow.dtype == F32 else narrow

    return convert


def _two_floats(m: Modifiers, result: PtxType, source: PtxType) -> Formula:
    """Two numbers to a packed pair, a in the upper half: two f32, or for 8-bit floats a pair of halves too."""
    kind = TYPES[result.name.removesuffix("x2")]
    parts = Modifiers(
        (*(part for part in m.parts if part not in {result.name, source.name}), kind.name, "f32")
    )
    if kind.bits == 8:
        one: Function = lambda value: _to_eight_bits(relu(value) if "relu" in m else value, kind)  # noqa: E731
        if source.name == "f16x2":
            return Formula(
                (source,),
                result,
                lambda a: _joined(*(one(split(a, high).view(F16)) for high in (True, False))),
            )
        return Formula((source, source), result, lambda a, b: _joined(one(a), one(b)))
    narrow = _float_to_float(parts, kind, TYPES["f32"])
    unsigned = lambda value: narrow(value).view(U16)  # noqa: E731
    return Formula((TYPES["f32"],) * 2, result, lambda a, b: join(unsigned(b), unsigned(a)))


def _joined(high: Array, low: Array) -> Array:
    return low.astype(U16) | high.astype(U16) << np.uint16(8)


def eight_bit_values(kind: PtxType) -> Array:
    """The values of the 256 codes, float64 (OCP 8-bit Floating Point Specification 1.0, section 5)."""
    digits, least = _FORMATS[kind.name].digits, _FORMATS[kind.name].least
    code = np.arange(128)
    exponent, fraction = code >> (digits - 1), code & (1 << (digits - 1)) - 1
    significand = fraction + (exponent > 0) * (1 << (digits - 1))
    positive = np.ldexp(significand.astype(F64), np.maximum(exponent, 1) + least - digits)
    if kind.name == "e5m2":
        positive[124:] = [np.inf, np.nan, np.nan, np.nan]
    else:
        positive[127] = np.nan
    return np.concatenate([positive, -positive])


def _to_eight_bits(value: Array, kind: PtxType) -> Array:
    """Round to nearest even and clamp (.satfinite): the code, uint8; NaN is 0x7F."""
    form, table = _FORMATS[kind.name], eight_bit_values(kind)[:127]
    wide = value.astype(F64)
    rounded = round_to(wide, form.digits, form.least, np.inf, "rn")
    code = np.searchsorted(table[np.isfinite(table)], np.minimum(np.abs(rounded), form.largest))
    code = np.where(np.isnan(wide), 0x7F, code | np.signbit(wide) << 7)
    return code.astype(np.uint8)


def _from_eight_bits(m: Modifiers, result: PtxType, source: PtxType) -> Formula:
    """A pair of 8-bit floats to a pair of halves, exactly."""
    if result.name != "f16x2":
        raise refuse(f"cvt.{result.name}.{source.name}")
    table = eight_bit_values(TYPES[source.name.removesuffix("x2")]).astype(F16).view(U16)

    def convert(a: Array) -> Array:
        low, high = (table[a >> np.uint16(shift) & np.uint16(0xFF)].view(F16) for shift in (0, 8))
        low, high = (relu(half) if "relu" in m else half for half in (low, high))
        return join(low.view(U16), high.view(U16))

    return Formula((source,), result, convert)


def _tf32(a: Array) -> Array:
    """Round to 10 mantissa bits, ties away from zero (.rna)."""
    bits = np.ascontiguousarray(a).view(U32)
    rounded = (bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)
    return np.where(np.isfinite(a), rounded, bits)


def _pack(m: Modifiers) -> Formula:
    """Saturate two integers and pack them above the low bits of c (9.7.9.22)."""
    types = m.types
    result, source = types[0], types[1]
    low, high = _limits(result)
    mask = np.uint32((1 << result.bits) - 1)

    def part(a: Array) -> Array:
        return np.clip(a, low, high).astype(np.int64).astype(U32) & mask

    if len(types) == 2:
        return Formula(
            (source, source), TYPES["u32"], lambda a, b: part(a) << np.uint32(result.bits) | part(b)
        )
    shift, double = np.uint32(result.bits), np.uint32(2 * result.bits)
    return Formula(
        (source, source, TYPES["u32"]),
        TYPES["u32"],
        lambda a, b, c: c << double | part(a) << shift | part(b),
    )
