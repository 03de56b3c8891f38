"""Every conversion in every rounding: integers, f16, bf16, f32, f64 and the 8-bit floats."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

RNG = np.random.default_rng(3)
HEADERS = "#include <cuda_fp16.h>\n#include <cuda_bf16.h>\n#include <cuda_fp8.h>"
MODES = ("rn", "rz", "ru", "rd")
INTEGERS = {
    "int": (32, True), "uint": (32, False), "ll": (64, True), "ull": (64, False), "short": (16, True), "ushort": (16, False),
}  # fmt: skip
C_NAMES = {
    "int": "int", "uint": "unsigned", "ll": "long long", "ull": "unsigned long long", "short": "short",
    "ushort": "unsigned short", "float": "float", "double": "double", "half": "__half", "bfloat16": "__nv_bfloat16",
}  # fmt: skip
FORMS = {"float": "f32", "double": "f64", "half": "f16", "bfloat16": "bf16"}
UINT = {"float": np.uint32, "double": np.uint64, "half": np.uint16, "bfloat16": np.uint16}


def values(raw: np.ndarray, name: str) -> np.ndarray:
    """Bit patterns of a float type as float64."""
    with np.errstate(invalid="ignore"):  # signalling NaNs
        if name == "bfloat16":
            return (
                (raw.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
            )
        return raw.view({"float": np.float32, "double": np.float64, "half": np.float16}[name]).astype(
            np.float64
        )


def _floats(name: str, count: int = 240) -> np.ndarray:
    """Bit patterns: specials, halfway cases between integers, the ends of every integer range, anything."""
    near = [k + d for k in (0, 1, 2, 3, 100, 127, 128, 255, 256) for d in (-0.5, -0.25, 0.0, 0.5, 0.75)]
    ends = [s * (2.0**e + d) for s in (1, -1) for e in (15, 16, 31, 32, 53, 63, 64) for d in (-1.0, 0.0, 1.0)]
    special = [
        0.0,
        -0.0,
        math.inf,
        -math.inf,
        math.nan,
        1e-40,
        -1e-40,
        5e-324,
        65504.0,
        65519.9,
        65520.0,
        3.4e38,
        3.5e38,
    ]
    numbers = np.array([*near, *(-n for n in near), *ends, *special])
    with np.errstate(all="ignore"):
        if name == "bfloat16":
            fixed = (numbers.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        else:
            fixed = numbers.astype(
                {"float": np.float32, "double": np.float64, "half": np.float16}[name]
            ).view(UINT[name])
    if name == "double":
        wide = values(RNG.integers(0, 2**32, 80, dtype=np.uint32), "float")
        around = wide * (1 + RNG.integers(-3, 4, 80) * 2.0**-30)
        ties = (RNG.integers(1 << 10, 1 << 11, 80) * 2 + 1) * 2.0 ** RNG.integers(-30, 5, 80).astype(
            np.float64
        )
        fixed = np.concatenate([fixed, around.view(np.uint64), ties.view(np.uint64)])
    if name == "float":
        ties = ((RNG.integers(1 << 7, 1 << 11, 80) * 2 + 1) * 2.0 ** RNG.integers(-30, 5, 80)).astype(
            np.float32
        )
        fixed = np.concatenate([fixed, ties.view(np.uint32)])
    raw = RNG.integers(0, 2 ** (UINT[name](0).nbytes * 8), count, dtype=np.uint64).astype(UINT[name])
    return np.concatenate([fixed, raw])


def _to_integer(value: float, mode: str, bits: int, signed: bool) -> int:
    """Round, then clamp; NaN is zero, or the lowest number where the result has 64 bits (the CUDA Math API)."""
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if math.isnan(value):
        return 0
    if math.isinf(value):
        return high if value > 0 else low
    whole = {"rn": round, "rz": math.trunc, "ru": math.ceil, "rd": math.floor}[mode](Fraction(value))
    return max(low, min(high, whole))


@pytest.mark.parametrize("source", ["float", "double", "half", "bfloat16"])
def test_floats_become_integers_by_rounding_then_clamping(evaluate, source):
    raw = _floats(source)
    wanted = {"float": ("int", "uint", "ll", "ull"), "double": ("int", "uint", "ll", "ull")}.get(
        source, tuple(INTEGERS)
    )
    cases = {f"__{source}2{name}_{mode}(x)": C_NAMES[name] for name in wanted for mode in MODES}
    cases |= {f"({C_NAMES[name]})x": C_NAMES[name] for name in wanted}
    got = evaluate(cases, {"x": (C_NAMES[source], raw)}, "sm_90", HEADERS)
    numbers = values(raw, source).tolist()
    for name in wanted:
        bits, signed = INTEGERS[name]
        for mode in MODES:
            text = f"__{source}2{name}_{mode}(x)"
            expected = [_to_integer(v, mode, bits, signed) for v in numbers]
            _same_integers(got[text].tolist(), expected, numbers, text)
        _same_integers(
            got[f"({C_NAMES[name]})x"].tolist(),
            [_to_integer(v, "rz", bits, signed) for v in numbers],
            numbers,
            name,
        )


def _same_integers(got: list[int], expected: list[int], numbers: list[float], text: str) -> None:
    wrong = [
        (v, g, e) for v, g, e in zip(numbers, got, expected, strict=True) if g != e and not math.isnan(v)
    ]
    assert not wrong, (text, wrong[:4])


def _integers(bits: int, signed: bool) -> np.ndarray:
    edges = [2**k + d for k in range(bits) for d in (-1, 0, 1)] + [
        2**k - 2 ** max(k - 24, 0) for k in range(bits)
    ]
    edges = np.array([e & (2**bits - 1) for e in edges + [-e for e in edges]], np.uint64)
    raw = np.concatenate([edges, RNG.integers(0, 2**bits, 100, dtype=np.uint64)]).astype(f"uint{bits}")
    return raw.view(f"{'' if signed else 'u'}int{bits}")


@pytest.mark.parametrize("source", list(INTEGERS))
def test_integers_become_floats_rounded_as_asked(evaluate, ieee, source):
    bits, signed = INTEGERS[source]
    x = _integers(bits, signed)
    targets = {"short": ("half", "bfloat16"), "ushort": ("half", "bfloat16")}.get(source, tuple(FORMS))
    cases = {f"__{source}2{target}_{mode}(x)": C_NAMES[target] for target in targets for mode in MODES}
    if bits == 32:
        cases = {
            text: kind for text, kind in cases.items() if "double" not in text or text.endswith("_rn(x)")
        }
    got = evaluate(cases, {"x": (C_NAMES[source], x)}, "sm_90", HEADERS)
    for text in cases:
        target, mode = text.removesuffix("(x)").partition("2")[2].rsplit("_", 1)
        exact = np.array([_round(int(v), FORMS[target], mode, ieee) for v in x])
        number = values(got[text], target)
        assert (number == exact).all(), (
            text,
            x[number != exact][:3],
            number[number != exact][:3],
            exact[number != exact][:3],
        )


def _round(value: int, form: str, mode: str, ieee) -> float:
    """An integer, exact as the sum of two float64 numbers, rounded once."""
    high = float(value >> 32 << 32)
    return float(
        ieee(lambda a, b: a + b, [np.array([high]), np.array([float(value & 0xFFFFFFFF)])], form, mode)[0]
    )


def test_floats_narrow_in_every_rounding_and_widen_exactly(evaluate, ieee):
    double, single, half, brain = (_floats(name) for name in ("double", "float", "half", "bfloat16"))
    count = max(map(len, (double, single, half, brain)))
    double, single, half, brain = (np.resize(raw, count) for raw in (double, single, half, brain))
    cases = {f"__double2float_{mode}(d)": ("float", "d", mode) for mode in MODES}
    cases |= {f"__float2half_{mode}(f)": ("half", "f", mode) for mode in MODES}
    cases |= {f"__float2bfloat16_{mode}(f)": ("bfloat16", "f", mode) for mode in MODES}
    cases |= {"__double2half(d)": ("half", "d", "rn"), "__double2bfloat16(d)": ("bfloat16", "d", "rn")}
    cases |= {"__half2float(h)": ("float", "h", "rn"), "__bfloat162float(b)": ("float", "b", "rn")}
    cases |= {
        "(double)f": ("double", "f", "rn"),
        "(double)__half2float(h)": ("double", "h", "rn"),
        "(float)d": ("float", "d", "rn"),
    }
    operands = {
        "d": ("double", double),
        "f": ("float", single),
        "h": ("__half", half),
        "b": ("__nv_bfloat16", brain),
    }
    got = evaluate({text: C_NAMES[kind] for text, (kind, _, _) in cases.items()}, operands, "sm_90", HEADERS)
    sources = {
        "d": values(double, "double"),
        "f": values(single, "float"),
        "h": values(half, "half"),
        "b": values(brain, "bfloat16"),
    }
    for text, (target, name, mode) in cases.items():
        expected = ieee(lambda x: x, [sources[name]], FORMS[target], mode)
        expected = np.where(sources[name] == 0, sources[name], expected)
        _same_floats(values(got[text], target), expected, sources[name], text)


def _same_floats(got: np.ndarray, expected: np.ndarray, source: np.ndarray, text: str) -> None:
    nan = np.isnan(expected)
    assert (np.isnan(got) == nan).all(), text
    wrong = ~nan & (got.view(np.uint64) != expected.view(np.uint64))
    assert not wrong.any(), (text, source[wrong][:3], got[wrong][:3], expected[wrong][:3])


def _eight_bit_values(exponent_bits: int) -> np.ndarray:
    """All 256 values of E4M3 (no infinity, S.1111.111 is NaN) or E5M2 (OCP 8-bit Floating Point 1.0, section 5)."""
    mantissa, table = 7 - exponent_bits, []
    bias = (1 << exponent_bits - 1) - 1
    for code in range(256):
        exponent, fraction = code >> mantissa & (1 << exponent_bits) - 1, code & (1 << mantissa) - 1
        scale = max(exponent, 1) - bias - mantissa
        value = (fraction + (1 << mantissa if exponent else 0)) * 2.0**scale
        if exponent == (1 << exponent_bits) - 1:
            if exponent_bits == 5:
                value = math.inf if fraction == 0 else math.nan
            elif fraction == 7:
                value = math.nan
        table.append(math.copysign(value, -1.0 if code & 128 else 1.0))
    return np.array(table)


def _nearest_eight(value: np.ndarray, table: np.ndarray, saturate: bool) -> np.ndarray:
    """The nearest finite code's value, ties to the even code; beyond the largest that one, or what overflow gives."""
    codes = np.array([c for c in range(128) if math.isfinite(table[c])])
    codes = codes[np.argsort(codes & 1, kind="stable")]
    largest = table[codes].max()
    size = np.where(np.isnan(value), 0.0, abs(value))
    best = table[codes[abs(table[codes][:, None] - np.minimum(size, largest)).argmin(axis=0)]]
    if not saturate:
        step = largest - np.sort(table[codes])[-2]
        over = (size > largest + step / 2) | ((size == largest + step / 2) & (codes.max() % 2 == 1))
        best = np.where(over, math.inf if math.isinf(table[124]) else math.nan, best)
    return np.copysign(np.where(np.isnan(value), math.nan, best), value)


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize(("kind", "exponent_bits"), [("__NV_E4M3", 4), ("__NV_E5M2", 5)])
def test_eight_bit_floats_saturate_and_round_to_even(evaluate, architecture, kind, exponent_bits):
    table = _eight_bit_values(exponent_bits)
    codes = np.arange(256, dtype=np.uint8)
    ties = (table[:127] + table[1:128]) / 2
    numbers = np.concatenate(
        [
            table,
            ties,
            -ties,
            ties * 1.0001,
            [448.1, 464.0, 464.1, 480.0, 57344.0, 61440.0, 65536.0, -1e30, 1e-30],
        ]
    )
    with np.errstate(all="ignore"):
        f = np.resize(numbers, 640).astype(np.float32)
        h = f.astype(np.float16)
        b = (f.view(np.uint32) >> 16).astype(np.uint16)
    brain = "__nv_bfloat16_raw r; r.x = __bfloat16_as_ushort(b); return __nv_cvt_bfloat16raw_to_fp8"
    prelude = f"""{HEADERS}
      __device__ unsigned char half8(__half h) {{ return __nv_cvt_halfraw_to_fp8(h, __NV_SATFINITE, {kind}); }}
      __device__ unsigned char brain8(__nv_bfloat16 b) {{ {brain}(r, __NV_SATFINITE, {kind}); }}
      __device__ __half wide(unsigned char c) {{ return __half(__nv_cvt_fp8_to_halfraw(c, {kind})); }}"""
    cases = {
        f"__nv_cvt_float_to_fp8(f, __NV_SATFINITE, {kind})": "unsigned char",
        f"__nv_cvt_double_to_fp8((double)f, __NV_SATFINITE, {kind})": "unsigned char",
        f"__nv_cvt_float_to_fp8(f, __NV_NOSAT, {kind})": "unsigned char",
        f"__nv_cvt_float2_to_fp8x2(make_float2(f, -f), __NV_SATFINITE, {kind})": "unsigned short",
        "half8(h)": "unsigned char",
        "brain8(b)": "unsigned char",
        "wide(c)": "__half",
    }
    operands = {
        "f": ("float", f),
        "h": ("__half", h),
        "b": ("__nv_bfloat16", b),
        "c": ("unsigned char", np.resize(codes, 640)),
    }
    got = evaluate(cases, operands, architecture, prelude)
    texts = list(cases)
    wide = np.resize(table, 640)
    _same_floats(got["wide(c)"].astype(np.float64), wide, wide, "wide")
    source = f.astype(np.float64)
    clamped = _nearest_eight(source, table, saturate=True)
    free = _nearest_eight(source, table, saturate=False)
    _same_floats(table[got[texts[0]]], clamped, source, texts[0])
    _same_floats(table[got[texts[1]]], clamped, source, texts[1])
    _same_floats(table[got[texts[2]]], free, source, texts[2])
    _same_floats(table[got[texts[3]] & 0xFF], clamped, source, texts[3])
    _same_floats(table[got[texts[3]] >> 8], -clamped, source, texts[3])
    from_half = _nearest_eight(h.astype(np.float64), table, saturate=True)
    _same_floats(table[got["half8(h)"]], from_half, h.astype(np.float64), "half8")
    from_brain = _nearest_eight(values(b, "bfloat16"), table, saturate=True)
    _same_floats(table[got["brain8(b)"]], from_brain, values(b, "bfloat16"), "brain8")


def test_integers_narrow_by_dropping_bits_and_packing_saturates(evaluate):
    x, y = _integers(32, signed=True), RNG.permutation(_integers(32, signed=True))
    pack = 'asm("cvt.pack.sat.{0}.s32.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(x), "r"(y), "r"(0x55aa1234));'
    prelude = "".join(
        f"__device__ unsigned pack_{kind}(int x, int y) {{ unsigned r; {pack.replace('{0}', kind)} return r; }}\n"
        for kind in ("u8", "s8")
    )
    prelude += """__device__ unsigned pack_s16(int x, int y) { unsigned r; asm("cvt.pack.sat.s16.s32 %0, %1, %2;" : "=r"(r) : "r"(x), "r"(y)); return r; }
      __device__ int sat8(int x) { int r; asm("{ .reg .s16 t; cvt.sat.s8.s32 t, %1; cvt.s32.s16 %0, t; }" : "=r"(r) : "r"(x)); return r; }
      __device__ int satu16(int x) { int r; asm("{ .reg .u16 t; cvt.sat.u16.s32 t, %1; cvt.u32.u16 %0, t; }" : "=r"(r) : "r"(x)); return r; }"""
    cases = dict.fromkeys(["pack_u8(x, y)", "pack_s8(x, y)", "pack_s16(x, y)"], "unsigned")
    cases |= dict.fromkeys(
        ["sat8(x)", "satu16(x)", "(signed char)x", "(unsigned short)y", "(short)x + (unsigned char)y"], "int"
    )
    got = evaluate(cases, {"x": ("int", x), "y": ("int", y)}, "sm_90", prelude)
    a, b = x.astype(np.int64), y.astype(np.int64)

    def packed(low: int, high: int, bits: int, rest: int) -> list[int]:
        mask = (1 << bits) - 1
        return ((np.clip(a, low, high) & mask) << bits | np.clip(b, low, high) & mask | rest).tolist()

    assert got["pack_u8(x, y)"].tolist() == packed(0, 255, 8, 0x12340000)
    assert got["pack_s8(x, y)"].tolist() == packed(-128, 127, 8, 0x12340000)
    assert got["pack_s16(x, y)"].tolist() == packed(-32768, 32767, 16, 0)
    assert got["sat8(x)"].tolist() == np.clip(a, -128, 127).tolist()
    assert got["satu16(x)"].tolist() == np.clip(a, 0, 65535).tolist()
    assert got["(signed char)x"].tolist() == x.astype(np.int8).tolist()
    assert got["(unsigned short)y"].tolist() == y.astype(np.uint16).tolist()
    assert (
        got["(short)x + (unsigned char)y"].tolist()
        == (x.astype(np.int16).astype(int) + y.astype(np.uint8)).tolist()
    )
