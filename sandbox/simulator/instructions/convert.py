"""Conversions (PTX ISA 9.0, section 9.7.9.21)."""

# Formulas are lambdas of one to four arrays behind one `Callable[..., Array]`: their parameters carry no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Formula, Modifiers, formula, refuse
from sandbox.simulator.instructions.half import BFLOAT, HALF, join
from sandbox.simulator.ptx.types import F64, TYPES, U16, U32, PtxType
from sandbox.simulator.rounding import bf16_to_f32, directed, flush, relu, saturate

Function = Callable[..., Array]
_ROUND: dict[str, Function] = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}
_SMALL_FLOATS = frozenset({"f16x2", "bf16x2"})


@formula("cvt", "9.7.9.21, 9.7.9.22")
def cvt(m: Modifiers) -> Formula:
    """Between any two of the integer and float types, with rounding, saturation and flushing."""
    if "pack" in m:
        return _pack(m)
    result, source = m.types[-2], m.types[-1]
    if result.name in _SMALL_FLOATS:
        return _two_floats(m, result)
    if result.name == "tf32":
        return Formula((source,), result, _tf32)
    return Formula((source,), result, _single(m, result, source))


def _is_float(kind: PtxType) -> bool:
    return kind.is_float or kind.name == "bf16"


def _single(m: Modifiers, result: PtxType, source: PtxType) -> Function:
    if not _is_float(source) and not _is_float(result):
        return _integer_to_integer(m, result, source)
    if not _is_float(result):
        return _float_to_integer(m, result, source)
    if not _is_float(source):
        return _integer_to_float(m, result, source)
    return _float_to_float(m, result, source)


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
    """Round, clamp to the integer's range, NaN to 0 (9.7.9.21, "Conversion from float to integer")."""
    rounding = _ROUND[m.rounding or "rzi"]
    low, high = _limits(result)
    ftz = "ftz" in m

    def convert(a: Array) -> Array:
        value = bf16_to_f32(a) if source.name == "bf16" else a
        value = rounding(flush(value) if ftz else value).astype(F64)
        inside = np.clip(value, float(low), float(high))
        # float(high) may round up to 2**63 or 2**64, which does not fit: those lanes are set apart.
        over = value >= float(high)
        safe = np.where(over | np.isnan(value), 0.0, inside).astype(result.dtype)
        return np.where(over, result.dtype.type(high), safe)

    return convert


def _integer_to_float(m: Modifiers, result: PtxType, source: PtxType) -> Function:
    mode = m.rounding
    if result.name == "bf16":
        return lambda a: BFLOAT.narrow(a.astype(F64))
    if mode in {"rz", "rm", "rp"} and (result.bits < 64 or source.bits == 64):

        def convert(a: Array) -> Array:
            wide = a.astype(F64)
            back = wide.astype(np.longdouble)
            error = np.sign(a.astype(np.longdouble) - back).astype(F64)
            return directed(wide.astype(result.dtype), wide, error, mode)

        return convert
    if result.bits == 16:
        return lambda a: a.astype(F64).astype(result.dtype)
    return lambda a: a.astype(result.dtype)


def _float_to_float(m: Modifiers, result: PtxType, source: PtxType) -> Function:
    mode = m.rounding

    def convert(a: Array) -> Array:
        value = bf16_to_f32(a) if source.name == "bf16" else a
        if "ftz" in m:
            value = flush(value) if value.dtype != np.float16 else value
        if mode in _ROUND:
            value = _ROUND[mode](value)
        if result.name == "bf16":
            return BFLOAT.narrow(_relu(value.astype(F64), m))
        if mode in {"rz", "rm", "rp"} and result.bits < source.bits:
            narrow = directed(value.astype(result.dtype), value.astype(F64), np.zeros((1, 1, 1)), mode)
        else:
            narrow = value.astype(result.dtype)
        if "sat" in m:
            narrow = saturate(narrow)
        if "ftz" in m and result.bits == 32:
            narrow = flush(narrow)
        return _relu(narrow, m)

    return convert


def _relu(value: Array, m: Modifiers) -> Array:
    return relu(value) if "relu" in m else value


def _two_floats(m: Modifiers, result: PtxType) -> Formula:
    """Two f32 to a packed pair: a goes to the upper half."""
    if m.rounding not in {"rn", ""}:
        raise refuse(f"cvt.{m.rounding}.{result.name}.f32")
    form = HALF if result.name == "f16x2" else BFLOAT
    kind = TYPES["f32"]

    def convert(a: Array, b: Array) -> Array:
        high, low = (form.narrow(_relu(value.astype(F64), m)) for value in (a, b))
        return join(low.astype(U16), high.astype(U16))

    return Formula((kind, kind), result, convert)


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
