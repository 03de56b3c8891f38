"""Half precision and bfloat16, single and packed, against exact arithmetic rounded once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

RNG = np.random.default_rng(5)
HEADERS = "#include <cuda_fp16.h>\n#include <cuda_bf16.h>"
TYPES = {"f16": ("__half", "__half2"), "bf16": ("__nv_bfloat16", "__nv_bfloat162")}
SPECIAL = {
    "f16": [0, 0x8000, 1, 0x8001, 0x3FF, 0x400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00],
    "bf16": [0, 0x8000, 1, 0x8001, 0x7F, 0x80, 0x3F80, 0xBF80, 0x7F7F, 0xFF7F, 0x7F80, 0xFF80, 0x7FC0],
}


def widen(bits: np.ndarray, form: str) -> np.ndarray:
    """16-bit patterns as float64 values."""
    bits = np.ascontiguousarray(bits).view(np.uint16)
    if form == "f16":
        return bits.view(np.float16).astype(np.float64)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)


def _bits(form: str, count: int = 260) -> np.ndarray:
    """Special values in every pairing that a permutation gives, any pattern, and numbers close to one."""
    near = {"f16": 0x3C00, "bf16": 0x3F80}[form] + RNG.integers(-600, 600, count // 3)
    raw = RNG.integers(0, 2**16, count - count // 3 - 4 * len(SPECIAL[form]))
    return RNG.permutation(np.concatenate([SPECIAL[form] * 4, near, raw])).astype(np.uint16)


def same(got: np.ndarray, expected: np.ndarray, text: str) -> None:
    """Equal, the sign of zero included; any NaN is as good as any other."""
    nan = np.isnan(expected)
    assert (np.isnan(got) == nan).all(), text
    wrong = np.flatnonzero(~nan & (got.view(np.uint64) != expected.view(np.uint64)))
    assert not wrong.size, (text, wrong[:3], got[wrong[:3]], expected[wrong[:3]])


def _larger(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    plain = np.where(np.isnan(x), y, np.where(np.isnan(y), x, np.maximum(x, y)))
    return np.where((x == 0) & (y == 0), np.where(np.signbit(x), y, x), plain)


def _smaller(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -_larger(-x, -y)


def _strict(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda x, y: np.where(np.isnan(x) | np.isnan(y), np.nan, function(x, y))


def _saturated(value: np.ndarray) -> np.ndarray:
    return np.where(value > 0, np.minimum(value, 1.0), 0.0)


def _relu(value: np.ndarray) -> np.ndarray:
    return np.where(value > 0, value, np.where(np.isnan(value), np.nan, 0.0))


ROUNDED: dict[str, Callable] = {
    "__hadd(x, y)": lambda x, y: x + y,
    "__hsub_rn(x, y)": lambda x, y: x - y,
    "__hmul(x, y)": lambda x, y: x * y,
    "__hfma(x, y, z)": lambda x, y, z: x * y + z,
    "x * y": lambda x, y: x * y,
    "x - y": lambda x, y: x - y,
}
CHOSEN: dict[str, Callable[..., np.ndarray]] = {
    "__hneg(x)": lambda x, y: -x,
    "__habs(x)": lambda x, y: abs(x),
    "__hmax(x, y)": _larger,
    "__hmin(x, y)": _smaller,
    "htrunc(x)": lambda x, y: np.trunc(x),
    "hceil(x)": lambda x, y: np.ceil(x),
    "hfloor(x)": lambda x, y: np.floor(x),
    "hrint(x)": lambda x, y: np.rint(x),
}
RECENT: dict[str, Callable[..., np.ndarray]] = {
    "__hmax_nan(x, y)": _strict(_larger),
    "__hmin_nan(x, y)": _strict(_smaller),
}


def _arity(text: str) -> int:
    return 3 if "z" in text else 2


def _halves(words: np.ndarray) -> np.ndarray:
    """Both halves of every other word: each pair of halves was given twice."""
    return np.ascontiguousarray(words[::2]).view(np.uint16)


def _two(text: str) -> str:
    """The packed form of an intrinsic of single values: `__hadd(x, y)` to `__hadd2(x2, y2)`."""
    name, _, rest = text.partition("(")
    if name.startswith("__h"):
        stem, _, suffix = name[3:].partition("_")
        name = f"__h{stem}2" + (f"_{suffix}" if suffix else "")
    else:
        name = f"h2{name[1:]}"
    return f"{name}({rest.replace('x', 'x2').replace('y', 'y2').replace('z', 'z2')}"


@pytest.mark.parametrize("form", ["f16", "bf16"])
@pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_90"])
def test_arithmetic_rounds_once_alone_and_packed(evaluate, ieee, form, architecture):
    one, two = TYPES[form]
    bits = [_bits(form) for _ in range(3)]
    operands = {name: (one, raw) for name, raw in zip("xyz", bits, strict=True)}
    operands |= {f"{n}2": (two, raw.view(np.uint32).repeat(2)) for n, raw in zip("xyz", bits, strict=True)}
    chosen = CHOSEN | (RECENT if architecture != "sm_75" else {})
    singles = [
        text for text in (*ROUNDED, *chosen) if "fma" not in text or (form, architecture) != ("bf16", "sm_75")
    ]
    packed = [_two(text) for text in singles if "(" in text]
    got = evaluate(dict.fromkeys(singles, one) | dict.fromkeys(packed, two), operands, architecture, HEADERS)
    x, y, z = (widen(raw, form) for raw in bits)
    with np.errstate(all="ignore"):
        for text in singles:
            expected = (
                ieee(ROUNDED[text], [x, y, z][: _arity(text)], form)
                if text in ROUNDED
                else chosen[text](x, y)
            )
            same(widen(got[text], form), expected, text)
            if "(" in text:
                pairs = _halves(got[_two(text)])
                same(widen(pairs, form), expected, _two(text))


@pytest.mark.parametrize("form", ["f16", "bf16"])
def test_saturation_and_relu_clamp_after_rounding(evaluate, ieee, form):
    one, two = TYPES[form]
    bits = [_bits(form) for _ in range(3)]
    table = {
        "__hadd_sat(x, y)": (lambda x, y: x + y, _saturated),
        "__hsub_sat(x, y)": (lambda x, y: x - y, _saturated),
        "__hmul_sat(x, y)": (lambda x, y: x * y, _saturated),
        "__hfma_sat(x, y, z)": (lambda x, y, z: x * y + z, _saturated),
        "__hfma_relu(x, y, z)": (lambda x, y, z: x * y + z, _relu),
    }
    operands = {name: (one, raw) for name, raw in zip("xyz", bits, strict=True)}
    operands |= {f"{n}2": (two, raw.view(np.uint32).repeat(2)) for n, raw in zip("xyz", bits, strict=True)}
    cases = dict.fromkeys(table, one) | {_two(text): two for text in table}
    got = evaluate(cases, operands, "sm_90", HEADERS)
    values = [widen(raw, form) for raw in bits]
    for text, (function, clamp) in table.items():
        expected = clamp(ieee(function, values[: _arity(text)], form))
        same(abs(widen(got[text], form)), expected, text)
        same(abs(widen(_halves(got[_two(text)]), form)), expected, _two(text))


RELATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
}  # fmt: skip


@pytest.mark.parametrize("form", ["f16", "bf16"])
@pytest.mark.parametrize("architecture", ["sm_75", "sm_90"])
def test_comparisons_know_ordered_from_unordered(evaluate, form, architecture):
    one, two = TYPES[form]
    bits = [_bits(form) for _ in range(2)]
    bits[1][::3] = bits[0][::3]
    operands = {name: (one, raw) for name, raw in zip("xy", bits, strict=True)}
    operands |= {f"{n}2": (two, raw.view(np.uint32).repeat(2)) for n, raw in zip("xy", bits, strict=True)}
    cases = {f"__h{r}{u}(x, y)": "bool" for r in RELATIONS for u in ("", "u")}
    cases |= {f"__h{r}{u}2_mask(x2, y2)": "unsigned" for r in RELATIONS for u in ("", "u")}
    cases |= {f"__h{r}{u}2(x2, y2)": two for r in RELATIONS for u in ("", "u")}
    cases |= {f"__hb{r}{u}2(x2, y2)": "bool" for r in RELATIONS for u in ("", "u")}
    cases |= {"__hisnan(x)": "bool", "__hisinf(x)": "int", "__hisnan2(x2)": two, "x < y || x == y": "bool"}
    got = evaluate(cases, operands, architecture, HEADERS)
    x, y = (widen(raw, form) for raw in bits)
    nan = np.isnan(x) | np.isnan(y)
    for r, relation in RELATIONS.items():
        for u in ("", "u"):
            with np.errstate(all="ignore"):
                holds = (relation(x, y) & ~nan) | (nan & (u == "u"))
            assert (got[f"__h{r}{u}(x, y)"] == holds).all(), (r, u)
            assert (_halves(got[f"__h{r}{u}2_mask(x2, y2)"]) == holds * 0xFFFF).all(), (r, u)
            assert (widen(got[f"__h{r}{u}2(x2, y2)"][::2], form) == holds).all(), (r, u)
            assert (got[f"__hb{r}{u}2(x2, y2)"][::2] == holds.reshape(-1, 2).all(axis=1)).all(), (r, u)
    assert (got["__hisnan(x)"] == np.isnan(x)).all()
    assert (got["__hisinf(x)"] == np.where(np.isinf(x), np.sign(x), 0)).all()
    assert (widen(got["__hisnan2(x2)"][::2], form) == np.isnan(x)).all()
    assert (got["x < y || x == y"] == (x <= y)).all()


FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sqrt": np.sqrt, "rsqrt": lambda v: 1 / np.sqrt(v), "rcp": lambda v: 1 / v, "log": np.log, "log2": np.log2, "log10": np.log10,
    "exp": np.exp, "exp2": np.exp2, "exp10": lambda v: 10.0**v, "sin": np.sin, "cos": np.cos, "tanh": np.tanh,
}  # fmt: skip


@pytest.mark.parametrize("form", ["f16", "bf16"])
@pytest.mark.parametrize("architecture", ["sm_75", "sm_90"])
def test_functions_are_within_two_units_in_the_last_place(evaluate, ieee, form, architecture):
    """The CUDA Math API documents them as computed in single precision and rounded: one unit, two for bfloat16's."""
    one, two = TYPES[form]
    bits = _bits(form)
    x = widen(bits, form)
    names = [name for name in FUNCTIONS if (form, architecture, name) != ("bf16", "sm_75", "tanh")]
    cases = {f"h{name}(x)": one for name in names} | {f"h2{name}(x2)": two for name in names}
    cases |= {"__hdiv(x, y)": one, "__h2div(x2, y2)": two}
    other = _bits(form)
    operands = {
        "x": (one, bits),
        "y": (one, other),
        "x2": (two, bits.view(np.uint32).repeat(2)),
        "y2": (two, other.view(np.uint32).repeat(2)),
    }
    got = evaluate(cases, operands, architecture, HEADERS)
    with np.errstate(all="ignore"):
        for name in names:
            exact = FUNCTIONS[name](x)
            _near(widen(got[f"h{name}(x)"], form), exact, x, form, name)
            _near(widen(got[f"h2{name}(x2)"][::2], form), exact, x, form, name)
        quotient = x / widen(other, form)
        _near(widen(got["__hdiv(x, y)"], form), quotient, x, form, "div")
        _near(widen(got["__h2div(x2, y2)"][::2], form), quotient, x, form, "div2")


def _near(got: np.ndarray, exact: np.ndarray, x: np.ndarray, form: str, name: str) -> None:
    digits, least, largest = {"f16": (11, -14, 65504.0), "bf16": (8, -126, 3.3895313892515355e38)}[form]
    assert (np.isnan(got) == np.isnan(exact)).all(), (name, x[np.isnan(got) != np.isnan(exact)][:3])
    finite = np.isfinite(exact) & (abs(exact) < largest)
    exponent = np.maximum(np.frexp(np.where(finite, exact, 1.0))[1] - 1, least)
    units = abs(np.where(finite, got - exact, 0.0)) / 2.0 ** (exponent - digits + 1)
    flushed = (abs(exact) < 2.0**least) & (got == 0)
    assert (np.where(flushed, 0.0, units) <= 2).all(), (name, x[units > 2][:3], got[units > 2][:3])
    infinite = np.isinf(exact)
    assert (got[infinite] == exact[infinite]).all(), name


def test_packing_moves_halves_untouched(evaluate):
    bits, other = _bits("f16"), _bits("f16")
    packed, other2 = bits.view(np.uint32).repeat(2), other.view(np.uint32).repeat(2)
    low, high, low2, high2 = packed & 0xFFFF, packed >> 16, other2 & 0xFFFF, other2 >> 16
    table = {
        "__lowhigh2highlow(x2)": low << 16 | high, "__lows2half2(x2, y2)": low2 << 16 | low,
        "__highs2half2(x2, y2)": high2 << 16 | high, "__low2half2(x2)": low << 16 | low, "__high2half2(x2)": high << 16 | high,
        "__halves2half2(x, y)": other.astype(np.uint32) << 16 | bits, "__half2half2(x)": bits * np.uint32(0x10001),
    }  # fmt: skip
    operands = {
        "x": ("__half", bits),
        "y": ("__half", other),
        "x2": ("__half2", packed),
        "y2": ("__half2", other2),
    }
    got = evaluate(dict.fromkeys(table, "__half2"), operands, "sm_90", HEADERS)
    for text, expected in table.items():
        assert got[text].tolist() == expected.tolist(), text
