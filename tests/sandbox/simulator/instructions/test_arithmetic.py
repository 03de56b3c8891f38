"""Arithmetic as PTX defines it, against NumPy and Python's own integers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

RNG = np.random.default_rng(7)
EDGES32 = np.array(
    [0, 1, 2, 3, 31, 32, 33, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 0xAAAAAAAA], np.uint32
)
UNSIGNED = np.concatenate([EDGES32, RNG.integers(0, 2**32, 500, dtype=np.uint32)])
OTHER = np.concatenate([EDGES32[::-1], RNG.integers(0, 2**32, 500, dtype=np.uint32)])
WIDE = RNG.integers(0, 2**64, 512, dtype=np.uint64)
WIDE2 = np.concatenate(
    [RNG.integers(1, 2**20, 256, dtype=np.uint64), RNG.integers(1, 2**63, 256, dtype=np.uint64)]
)


def _floats(bits: int, count: int = 2000) -> np.ndarray:
    """Random bit patterns: every exponent, subnormals, infinities, NaN."""
    raw = RNG.integers(0, 2**bits, count, dtype=f"uint{bits}")
    special = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan], dtype=f"float{bits}")
    return np.concatenate([special, raw.view(f"float{bits}")])


def _same(got: np.ndarray, expected: np.ndarray) -> None:
    nan = np.isnan(expected)
    assert (np.isnan(got) == nan).all()
    assert got[~nan].tobytes() == expected[~nan].astype(got.dtype).tobytes()


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("x + y", lambda x, y: x + y),
        ("x * y", lambda x, y: x * y),
        ("__umulhi(x, y)", lambda x, y: (x * y) >> 32),
        ("y ? x / y : 0", lambda x, y: x // y if y else 0),
        ("y ? x % y : 0", lambda x, y: x % y if y else 0),
        ("__popc(x)", lambda x, y: bin(x).count("1")),
        ("__clz(x)", lambda x, y: 32 - x.bit_length()),
        ("__brev(x)", lambda x, y: int(f"{x:032b}"[::-1], 2)),
        ("__ffs(x)", lambda x, y: (x & -x).bit_length()),
        ("__funnelshift_l(x, y, 7)", lambda x, y: (y << 32 | x) << 7 >> 32),
        ("__funnelshift_r(x, y, x & 63)", lambda x, y: (y << 32 | x) >> (x & 31)),
        ("(x & y) | (~x & 0x0ff00ff0u) ^ (y >> 3)", lambda x, y: (x & y) | ((~x & 0x0FF00FF0) ^ (y >> 3))),
        (
            "__byte_perm(x, y, 0x5140)",
            lambda x, y: (x & 255) | (y & 255) << 8 | (x >> 8 & 255) << 16 | (y >> 8 & 255) << 24,
        ),
        ("min(x, y) ^ max(x, y)", lambda x, y: min(x, y) ^ max(x, y)),
        ("__usad(x, y, 5u)", lambda x, y: abs(x - y) + 5),
        ("__dp4a(x, y, 3u)", lambda x, y: 3 + sum((x >> s & 255) * (y >> s & 255) for s in (0, 8, 16, 24))),
        ("(x >> 5) & 0x3ff", lambda x, y: x >> 5 & 0x3FF),
    ],
)
def test_unsigned_arithmetic_is_modular(expression, text, python):
    got = expression(text, "uint32", [UNSIGNED, OTHER])
    expected = [python(int(x), int(y)) & 0xFFFFFFFF for x, y in zip(UNSIGNED, OTHER, strict=True)]
    assert got.tolist() == expected


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("x - y", lambda x, y: x - y),
        (
            "y == 0 || (x == INT_MIN && y == -1) ? 0 : x / y",
            lambda x, y: 0 if y == 0 or (x, y) == (-(2**31), -1) else int(Fraction(x, y)),
        ),
        (
            "y == 0 || (x == INT_MIN && y == -1) ? 0 : x % y",
            lambda x, y: 0 if y == 0 or (x, y) == (-(2**31), -1) else x - y * int(Fraction(x, y)),
        ),
        ("x >> (y & 31)", lambda x, y: x >> (y & 31)),
        ("__mulhi(x, y)", lambda x, y: (x * y) >> 32),
        ("abs(x)", lambda x, y: abs(x)),
        ("__dp4a(x, y, -7)", lambda x, y: -7 + sum(_byte(x, s) * _byte(y, s) for s in (0, 8, 16, 24))),
        ("x < y ? x : y - 3", lambda x, y: x if x < y else y - 3),
        ("(int)(short)x * (int)(signed char)y", lambda x, y: _sign(x, 16) * _sign(y, 8)),
        ("__sad(x, y, 1)", lambda x, y: abs(x - y) + 1),
    ],
)
def test_signed_arithmetic_truncates_and_wraps(expression, text, python):
    x, y = UNSIGNED.view(np.int32), OTHER.view(np.int32)
    got = expression(text, "int32", [x, y])
    expected = [_sign(python(int(a), int(b)), 32) for a, b in zip(x, y, strict=True)]
    assert got.tolist() == expected


def _sign(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (value >> (bits - 1) << bits)


def _byte(value: int, shift: int) -> int:
    return _sign(value >> shift, 8)


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("x * y", lambda x, y: x * y),
        ("__umul64hi(x, y)", lambda x, y: (x * y) >> 64),
        ("x / y", lambda x, y: x // y),
        ("x % y", lambda x, y: x % y),
        ("__popcll(x) + __clzll(y)", lambda x, y: bin(x).count("1") + 64 - y.bit_length()),
        ("__brevll(x)", lambda x, y: int(f"{x:064b}"[::-1], 2)),
        ("x << (y & 63)", lambda x, y: x << (y & 63)),
    ],
)
def test_wide_arithmetic_carries(expression, text, python):
    got = expression(text, "uint64", [WIDE, WIDE2])
    expected = [python(int(x), int(y)) & (2**64 - 1) for x, y in zip(WIDE, WIDE2, strict=True)]
    assert got.tolist() == expected


@pytest.mark.parametrize("text", ["x + y", "x - y", "x * y", "x / y", "__fsqrt_rn(x)", "fabsf(x)", "-x"])
def test_float32_arithmetic_is_bit_exact(expression, text):
    x, y = _floats(32), _floats(32)[::-1].copy()
    with np.errstate(all="ignore"):
        expected = {
            "x + y": x + y, "x - y": x - y, "x * y": x * y, "x / y": x / y,
            "__fsqrt_rn(x)": np.sqrt(x), "fabsf(x)": np.abs(x), "-x": -x,
        }[text]  # fmt: skip
    _same(expression(text, "float32", [x, y]), expected)


def _exact_fma(a: float, b: float, c: float, dtype: type) -> float:
    """The correctly rounded a * b + c, through exact rationals."""
    if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)):
        return float(np.float64(a) * np.float64(b) + np.float64(c))
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    return float(_round_fraction(exact, dtype))


def _round_fraction(exact: Fraction, dtype: type) -> np.floating:
    """Nearest value of a float type, ties to even; candidates around the float64 approximation."""
    if exact == 0:
        return dtype(0)
    info = np.finfo(dtype)
    if abs(exact) >= Fraction(float(info.max)):
        return dtype(np.inf if exact > 0 else -np.inf)
    near = dtype(float(exact))
    options = [np.nextafter(near, dtype(-np.inf)), near, np.nextafter(near, dtype(np.inf))]
    unsigned = {np.float32: np.uint32, np.float64: np.uint64}[dtype]
    finite = [option for option in options if np.isfinite(option)]
    return min(finite, key=lambda v: (abs(Fraction(float(v)) - exact), int(v.view(unsigned)) & 1))


def test_float32_fma_rounds_once_even_on_ties(expression):
    x, y = _floats(32), _floats(32)[::-1].copy()
    z = _floats(32)
    ties = RNG.integers(1, 2**12, (3, 600)).astype(np.float32)
    x = np.concatenate([x, ties[0] * np.float32(2**-12) + 1, np.full(4, 1e-38, np.float32)])
    y = np.concatenate([y, ties[1] * np.float32(2**-12) + 1, np.array([1e-7, 3e-7, 0.5, 0.25], np.float32)])
    z = np.concatenate([z, ties[2] * np.float32(2**-30), np.full(4, 1.4e-45, np.float32)])
    got = expression("__fmaf_rn(x, y, z)", "float32", [x, y, z])
    with np.errstate(all="ignore"):
        expected = np.array(
            [_exact_fma(float(a), float(b), float(c), np.float32) for a, b, c in zip(x, y, z, strict=True)],
            np.float32,
        )
    finite = np.isfinite(expected) & (expected != 0)
    assert got[finite].tobytes() == expected[finite].tobytes()


def test_float64_fma_rounds_once(expression):
    x = RNG.standard_normal(800) * 10.0 ** RNG.integers(-30, 30, 800)
    y = RNG.standard_normal(800)
    z = -x * y * (1 + RNG.integers(-3, 3, 800) * 2.0**-52)
    got = expression("fma(x, y, z)", "float64", [x, y, z])
    expected = np.array(
        [_exact_fma(float(a), float(b), float(c), np.float64) for a, b, c in zip(x, y, z, strict=True)]
    )
    assert got.tobytes() == expected.tobytes()


@pytest.mark.parametrize(("suffix", "sign"), [("rd", -1), ("ru", 1), ("rz", 0)])
@pytest.mark.parametrize("operation", ["add", "mul", "div"])
def test_directed_rounding_never_crosses_the_exact_value(expression, suffix, sign, operation):
    x, y = RNG.standard_normal(500).astype(np.float32), RNG.standard_normal(500).astype(np.float32)
    got = expression(f"__f{operation}_{suffix}(x, y)", "float32", [x, y])
    for a, b, value in zip(x, y, got, strict=True):
        left, right = Fraction(float(a)), Fraction(float(b))
        exact = {"add": left + right, "mul": left * right, "div": left / right}[operation]
        here = Fraction(float(value))
        toward = sign or (-1 if exact > 0 else 1)
        assert (exact - here) * -toward >= 0
        beyond = Fraction(float(np.nextafter(value, np.float32(-toward * np.inf))))
        assert (exact - beyond) * toward > 0 or here == exact


@pytest.mark.parametrize(
    ("text", "result", "reference"),
    [
        ("(int)x", "int32", lambda v: _to_int(v, np.trunc, 32)),
        ("__float2int_rn(x)", "int32", lambda v: _to_int(v, np.rint, 32)),
        ("__float2int_rd(x)", "int32", lambda v: _to_int(v, np.floor, 32)),
        ("__float2int_ru(x)", "int32", lambda v: _to_int(v, np.ceil, 32)),
        ("(long long)x", "int64", lambda v: _to_int(v, np.trunc, 64)),
    ],
)
def test_float_to_integer_rounds_and_clamps(expression, text, result, reference):
    x = _floats(32)
    x = x[~np.isnan(x)]
    assert expression(text, result, [x]).tolist() == [reference(float(v)) for v in x]


def _to_int(value: float, rounding, bits: int) -> int:
    limit = 2 ** (bits - 1)
    if math.isinf(value):
        return limit - 1 if value > 0 else -limit
    return int(min(max(int(rounding(value)), -limit), limit - 1))


def test_integer_to_float_rounds_to_nearest_even(expression):
    assert expression("(float)x", "float32", [UNSIGNED]).tobytes() == UNSIGNED.astype(np.float32).tobytes()
    assert expression("(float)x", "float32", [WIDE]).tobytes() == WIDE.astype(np.float32).tobytes()
    assert expression("__int2float_rz((int)x)", "float32", [UNSIGNED]).tolist() == [
        _toward_zero(int(v)) for v in UNSIGNED.view(np.int32)
    ]


def _toward_zero(value: int) -> float:
    near = np.float32(value)
    return float(np.nextafter(near, np.float32(0)) if abs(int(near)) > abs(value) else near)


def test_half_conversions_round_to_nearest_even(expression):
    x = np.concatenate([_floats(32), RNG.standard_normal(500).astype(np.float32)])
    with np.errstate(all="ignore"):
        _same(expression("__float2half(x)", "float16", [x]), x.astype(np.float16))
    h = np.arange(65536, dtype=np.uint16).view(np.float16)
    _same(expression("__half2float(x)", "float32", [h]), h.astype(np.float32))


@pytest.mark.parametrize(
    ("text", "reference", "bound"),
    [
        ("expf(x)", np.exp, 3e-7),
        ("__expf(x)", np.exp, 2e-6),
        ("logf(fabsf(x) + 0.1f)", lambda v: np.log(np.abs(v) + np.float32(0.1)), 4e-7),
        ("sinf(x)", np.sin, 3e-7),
        ("cosf(x * 1000.0f)", lambda v: np.cos((v * np.float32(1000)).astype(np.float64)), 3e-7),
        ("tanhf(x)", np.tanh, 3e-7),
        ("rsqrtf(fabsf(x) + 0.5f)", lambda v: 1 / np.sqrt(np.abs(v).astype(np.float64) + 0.5), 4e-7),
        ("erff(x)", lambda v: np.vectorize(math.erf)(v), 4e-7),
        (
            "powf(fabsf(x) + 0.1f, 1.5f)",
            lambda v: (np.abs(v) + np.float32(0.1)).astype(np.float64) ** 1.5,
            6e-7,
        ),
        ("x / (1.0f + expf(-x))", lambda v: v / (1 + np.exp(-v.astype(np.float64))), 4e-7),
    ],
)
def test_math_functions_stay_within_the_documented_error(expression, text, reference, bound):
    x = (RNG.standard_normal(2000) * 3).astype(np.float32)
    got = expression(text, "float32", [x]).astype(np.float64)
    expected = reference(x.astype(np.float64) if "1000" not in text and "0.1f" not in text else x)
    assert (np.abs(got - expected) <= bound * np.maximum(np.abs(expected), 0.1)).all()


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("exp(x)", np.exp),
        ("sqrt(fabs(x))", lambda v: np.sqrt(np.abs(v))),
        ("log(fabs(x))", lambda v: np.log(np.abs(v))),
        ("sin(x)", np.sin),
        ("1.0 / x", lambda v: 1 / v),
    ],
)
def test_float64_math_is_close_to_exact(expression, text, function):
    x = RNG.standard_normal(500) * 10
    assert np.allclose(expression(text, "float64", [x]), function(x), rtol=1e-15, atol=1e-15)


def test_fast_min_and_max_ignore_nan_and_order_signed_zeros(expression):
    x = np.array([np.nan, 1.0, -0.0, 0.0, np.nan, -0.0], np.float32)
    y = np.array([2.0, np.nan, 0.0, -0.0, np.nan, -0.0], np.float32)
    assert np.signbit(expression("fminf(x, y)", "float32", [x, y])).tolist() == [
        False,
        False,
        True,
        True,
        False,
        True,
    ]
    got = expression("fmaxf(x, y)", "float32", [x, y])
    assert got[:2].tolist() == [2.0, 1.0]
    assert np.isnan(got[4])
    assert np.signbit(got[2:4]).tolist() == [False, False]
