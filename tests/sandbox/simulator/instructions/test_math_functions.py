"""The CUDA math functions within the errors of the CUDA C++ Programming Guide, "Mathematical Functions"."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

RNG = np.random.default_rng(2)
COUNT = 128
ANY, UNIT, BEYOND, POSITIVE, SMALL = "any", "unit", "beyond", "positive", "small"


def _cylinder(order: int) -> Callable[[float], float]:
    """The Bessel function J of an order by its integral; the trapezoid rule converges at once on a period."""
    angle = np.arange(400) * (math.pi / 400)
    ends = lambda x: (1.0 + math.cos(order * math.pi)) / 2 - 1.0  # noqa: E731
    return lambda x: (float(np.cos(order * angle - x * np.sin(angle)).sum()) + ends(x)) / 400


def _modified(order: int) -> Callable[[float], float]:
    angle = np.arange(400) * (math.pi / 400)

    def value(x: float) -> float:
        terms = np.exp(x * np.cos(angle)) * np.cos(order * angle)
        last = math.exp(-x) * math.cos(order * math.pi)
        return float(terms.sum() - terms[0] / 2 + last / 2) / 400

    return value


def _inverse_erf(x: float) -> float:
    """Solve erf(y) = x by bisection and Newton's last steps."""
    low, high = -6.0, 6.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < x else (low, middle)
    for _ in range(2):
        low -= (math.erf(low) - x) * math.sqrt(math.pi) / 2 * math.exp(low * low)
    return low


def _sine(x: np.longdouble) -> np.longdouble:
    return np.sin(4 * np.arctan(np.longdouble(1)) * x)


def _parity(x: np.longdouble) -> np.longdouble:
    return 1 - 2 * (np.rint(x) % 2)


def _log_gamma(x: np.longdouble) -> np.longdouble:
    """Stirling's series far from zero; Python's own lgamma is several units off near 3."""
    y = x + 40
    series = 1 / (12 * y) - 1 / (360 * y**3) + 1 / (1260 * y**5) - 1 / (1680 * y**7)
    half_log = np.log(2 * np.arctan(np.longdouble(1)) * 4) / 2
    return (
        (y - np.longdouble(0.5)) * np.log(y) - y + half_log + series - sum(np.log(x + k) for k in range(40))
    )


# Function: reference, where its argument lies, greatest error in units of the last place in single and in double.
ONE: dict[str, tuple[Callable, str, float, float]] = {
    "sqrt": (np.sqrt, POSITIVE, 0, 0), "rsqrt": (lambda x: 1 / np.sqrt(x), POSITIVE, 2, 1), "cbrt": (np.cbrt, ANY, 1, 1),
    "rcbrt": (lambda x: 1 / np.cbrt(x), POSITIVE, 1, 1), "exp": (np.exp, SMALL, 2, 1), "exp2": (np.exp2, SMALL, 2, 1),
    "exp10": (lambda x: np.power(type(x)(10), x), SMALL, 2, 1), "expm1": (np.expm1, SMALL, 1, 1), "log": (np.log, POSITIVE, 1, 1),
    "log2": (np.log2, POSITIVE, 1, 1), "log10": (np.log10, POSITIVE, 2, 1), "log1p": (np.log1p, POSITIVE, 1, 1),
    "sin": (np.sin, ANY, 2, 2), "cos": (np.cos, ANY, 2, 2), "tan": (np.tan, ANY, 4, 2), "asin": (np.arcsin, UNIT, 2, 2),
    "acos": (np.arccos, UNIT, 2, 2), "atan": (np.arctan, ANY, 2, 2), "sinh": (np.sinh, SMALL, 3, 2), "cosh": (np.cosh, SMALL, 2, 1),
    "tanh": (np.tanh, SMALL, 2, 1), "asinh": (np.arcsinh, ANY, 3, 3), "acosh": (np.arccosh, BEYOND, 4, 3), "atanh": (np.arctanh, UNIT, 3, 2),
    "erf": (math.erf, SMALL, 2, 2), "erfc": (math.erfc, "erfc", 4, 5), "tgamma": (math.gamma, "gamma", 5, 10),
    "lgamma": (_log_gamma, "gamma", 6, 4), "j0": (_cylinder(0), "bessel", 0, 0), "j1": (_cylinder(1), "bessel", 0, 0),
    "cyl_bessel_i0": (_modified(0), "bessel", 6, 6), "cyl_bessel_i1": (_modified(1), "bessel", 6, 6),
    "erfcx": (lambda x: math.exp(x * x) * math.erfc(x), "short", 4, 4), "normcdf": (lambda x: math.erfc(-x / math.sqrt(2)) / 2, "normal", 5, 5),
    "erfinv": (_inverse_erf, "inner", 2, 5),
    "erfcinv": (lambda x: _inverse_erf(1 - x), "quantile", 4, 6),
    "trunc": (np.trunc, ANY, 0, 0), "ceil": (np.ceil, ANY, 0, 0), "floor": (np.floor, ANY, 0, 0), "rint": (np.rint, ANY, 0, 0),
    "nearbyint": (np.rint, ANY, 0, 0), "round": (lambda x: np.copysign(np.floor(abs(x) + type(x)(0.5)), x), SMALL, 0, 0), "fabs": (np.abs, ANY, 0, 0),
    "logb": (lambda x: np.frexp(x)[1] - 1.0, POSITIVE, 0, 0),
    "sinpi": (lambda x: _sine(x - np.rint(x)) * _parity(x), "short", 2, 2),
    "cospi": (lambda x: _sine(0.5 - abs(x - np.rint(x))) * _parity(x), "short", 2, 2),
}  # fmt: skip
TWO: dict[str, tuple[Callable, float, float]] = {
    "atan2": (np.arctan2, 3, 2), "hypot": (np.hypot, 3, 2), "fmod": (np.fmod, 0, 0), "fdim": (lambda x, y: np.maximum(x - y, 0), 0, 0),
    "rhypot": (lambda x, y: 1 / np.hypot(x, y), 2, 1), "fmin": (np.fmin, 0, 0), "fmax": (np.fmax, 0, 0), "copysign": (np.copysign, 0, 0),
    "remainder": (lambda x, y: type(x)(math.remainder(x, y)), 0, 0), "nextafter": (None, 0, 0),
}  # fmt: skip


def _arguments(where: str) -> np.ndarray:
    """Arguments in float32, so that single and double are given the same ones."""
    rng = np.random.default_rng(sum(where.encode()))
    spread = np.exp(rng.uniform(-20, 20, COUNT)) * rng.choice([-1, 1], COUNT)
    values = {
        ANY: np.concatenate([spread[:-8], [1e5, -3e7, 2.5e9, 0.5, 1.5, 2.5, -0.5, 105615.0]]),
        UNIT: np.concatenate([rng.uniform(-0.9999, 0.9999, COUNT - 4), [1e-6, -1e-6, 0.5, -0.5]]),
        BEYOND: 1 + np.exp(rng.uniform(-10, 15, COUNT)),
        POSITIVE: np.concatenate([abs(spread)[:-4], [1.0000001, 0.99999, 1.5, 2.0]]),
        SMALL: rng.uniform(-30, 30, COUNT), "erfc": rng.uniform(-3, 8, COUNT), "gamma": rng.uniform(3, 25, COUNT),
        "bessel": rng.uniform(0.1, 7.9, COUNT), "short": rng.uniform(-4, 4, COUNT), "normal": rng.uniform(-1.5, 4, COUNT), "inner": rng.uniform(-0.99, 0.99, COUNT),
        "quantile": rng.uniform(0.01, 1.99, COUNT),
    }[where]  # fmt: skip
    return values.astype(np.float32)


def _units(got: np.ndarray, exact: np.ndarray, digits: int, least: int) -> np.ndarray:
    """Distance in units of the exact value's last place."""
    size = abs(exact.astype(np.longdouble))
    exponent = np.maximum(np.frexp(np.where(np.isfinite(size), size, 1))[1] - 1, least)
    distance = np.where(got == exact, 0, got.astype(np.longdouble) - exact.astype(np.longdouble))
    return abs(distance) / np.ldexp(np.longdouble(1), exponent - digits + 1)


def _reference(function: Callable, x: np.ndarray) -> np.ndarray:
    """In extended precision where NumPy has the function; Python's own are within a unit of double."""
    if isinstance(function, np.ufunc):
        return function(x.astype(np.longdouble))
    with np.errstate(all="ignore"):
        try:
            return np.array([function(np.longdouble(v)) for v in x], np.longdouble)
        except (TypeError, AttributeError):
            return np.array([function(float(v)) for v in x], np.longdouble)


@pytest.mark.parametrize("architecture", ["sm_75", "sm_90"])
def test_single_precision_functions_are_within_the_documented_error(evaluate, architecture):
    places = {where: _arguments(where) for _, where, _, _ in ONE.values()}
    operands = {f"a_{where}": ("float", x) for where, x in places.items()}
    texts = {name: f"{name}f(a_{where})" for name, (_, where, _, _) in ONE.items()}
    got = evaluate(dict.fromkeys(texts.values(), "float"), operands, architecture)
    for name, (function, where, limit, _) in ONE.items():
        exact = _reference(function, places[where])
        if name in {"j0", "j1"}:  # the guide bounds the absolute error there
            assert (abs(got[texts[name]] - exact) < 2.2e-6).all(), name
            continue
        units = _units(got[texts[name]], exact, 24, -126)
        assert (units <= limit + 0.5).all(), (name, float(units.max()), places[where][units.argmax()])


def test_double_precision_functions_are_within_the_documented_error(evaluate):
    places = {where: _arguments(where).astype(np.float64) for _, where, _, _ in ONE.values()}
    operands = {f"a_{where}": ("double", x) for where, x in places.items()}
    texts = {name: f"{name}(a_{where})" for name, (_, where, _, _) in ONE.items()}
    got = evaluate(dict.fromkeys(texts.values(), "double"), operands, "sm_80")
    for name, (function, where, _, limit) in ONE.items():
        exact = _reference(function, places[where])
        if name in {"j0", "j1"}:
            assert (abs(got[texts[name]] - exact) < 5e-14).all(), name
            continue
        slack = 4 if not isinstance(function, np.ufunc) and limit else 0.5  # the reference's own error
        units = _units(got[texts[name]], exact, 53, -1022)
        assert (units <= limit + slack).all(), (name, float(units.max()), places[where][units.argmax()])


@pytest.mark.parametrize(
    ("kind", "suffix", "digits", "least"), [("float", "f", 24, -126), ("double", "", 53, -1022)]
)
def test_functions_of_two_and_more_arguments_are_within_the_documented_error(
    evaluate, kind, suffix, digits, least
):
    dtype = np.dtype(np.float32 if kind == "float" else np.float64)
    x, y, z = (_arguments(ANY)[RNG.permutation(COUNT)].astype(dtype) for _ in range(3))
    y = np.where(y == 0, 1, y).astype(dtype)
    operands = {
        "x": (kind, x),
        "y": (kind, y),
        "z": (kind, z),
        "p": (kind, abs(x)),
        "q": (kind, RNG.uniform(-2, 2, COUNT).astype(dtype)),
    }
    s = suffix
    cases = dict.fromkeys([f"{name}{s}(x, y)" for name in TWO], kind)
    cases |= dict.fromkeys(
        [
            f"pow{s}(p, q)",
            f"norm3d{s}(x, y, z)",
            f"rnorm3d{s}(x, y, z)",
            f"ldexp{s}(x, 7)",
            f"scalbn{s}(q, -3)",
        ],
        kind,
    )
    cases |= {
        f"ilogb{s}(x)": "int",
        f"lrint{s}(q * 1000)": "long long",
        f"llround{s}(q * 1000)": "long long",
        "signbit(x) != 0": "bool",
    }
    prelude = f"""__device__ {kind} split({kind} v, int which) {{ int e; {kind} whole, f = frexp{s}(v, &e), r = modf{s}(v, &whole), a, b;
        sincos{s}(v, &a, &b); int quo; {kind} m = remquo{s}(v, {kind}(1.75), &quo);
        return which == 0 ? f : which == 1 ? {kind}(e) : which == 2 ? r : which == 3 ? whole : which == 4 ? a : which == 5 ? b : m; }}"""
    cases |= {f"split(x, {which})": kind for which in range(7)}
    got = evaluate(cases, operands, "sm_90", prelude)
    wide = [v.astype(np.longdouble) for v in (x, y, z)]
    for name, (function, single, double) in TWO.items():
        if name == "nextafter":
            assert (got[f"nextafter{s}(x, y)"] == np.nextafter(x, y)).all()
            continue
        exact = np.array([function(a, b) for a, b in zip(*wide[:2], strict=True)], np.longdouble)
        exact = exact if single else exact.astype(dtype)
        units = _units(got[f"{name}{s}(x, y)"], exact, digits, least)
        assert (units <= (single if kind == "float" else double) + 0.5).all(), (
            name,
            float(units.max()),
            x[units.argmax()],
            y[units.argmax()],
        )
    powers = np.power(abs(x).astype(np.longdouble), operands["q"][1].astype(np.longdouble))
    norms = np.sqrt(sum(v * v for v in wide))
    for text, exact, limit in (
        (f"pow{s}(p, q)", powers, 4),
        (f"norm3d{s}(x, y, z)", norms, 3),
        (f"rnorm3d{s}(x, y, z)", 1 / norms, 2),
    ):
        assert (_units(got[text], exact, digits, least) <= limit).all(), text
    q = operands["q"][1]
    assert (got[f"ldexp{s}(x, 7)"] == x * 128).all()
    assert (got[f"scalbn{s}(q, -3)"] == q / 8).all()
    assert (got[f"ilogb{s}(x)"] == np.frexp(x)[1] - 1).all()
    assert (got[f"lrint{s}(q * 1000)"] == np.rint(q * dtype.type(1000))).all()
    assert (got["signbit(x) != 0"] == np.signbit(x)).all()
    fraction, exponent = np.frexp(x)
    rest, whole = np.modf(x)
    for which, expected in enumerate((fraction, exponent, rest, whole)):
        assert (got[f"split(x, {which})"] == expected).all(), which
    for which, function in ((4, np.sin), (5, np.cos)):
        assert (_units(got[f"split(x, {which})"], function(wide[0]), digits, least) <= 2).all(), which
    assert (got["split(x, 6)"] == [math.remainder(v, 1.75) for v in x.astype(np.float64)]).all()


def test_fast_intrinsics_are_within_their_own_wider_errors(evaluate):
    near, positive, wide = (
        RNG.uniform(-math.pi, math.pi, COUNT),
        np.exp(RNG.uniform(-40, 40, COUNT)),
        RNG.uniform(-30, 30, COUNT),
    )
    near, positive, wide = (v.astype(np.float32) for v in (near, positive, wide))
    operands = {"n": ("float", near), "p": ("float", positive), "w": ("float", wide)}
    relative: dict[str, tuple[np.ndarray, np.ndarray | float]] = {
        "__expf(w)": (np.exp(wide.astype(np.float64)), 2 + np.floor(abs(1.173 * wide))),
        "__exp10f(w)": (10.0 ** wide.astype(np.float64), 2 + np.floor(abs(2.97 * wide))),
        "__fdividef(w, p)": (wide.astype(np.float64) / positive, 2),
        "__frsqrt_rn(p)": (1 / np.sqrt(positive.astype(np.float64)), 0.5),
        "__saturatef(n)": (np.clip(near, 0, 1).astype(np.float64), 0),
        "__frcp_rn(p)": (1 / positive.astype(np.float64), 0.5),
    }
    absolute = {
        "__sinf(n)": (np.sin(near.astype(np.float64)), 2**-21.41), "__cosf(n)": (np.cos(near.astype(np.float64)), 2**-21.19),
    }  # fmt: skip
    logarithms = {"__logf(p)": np.log, "__log2f(p)": np.log2, "__log10f(p)": np.log10}
    got = evaluate(
        dict.fromkeys([*relative, *absolute, *logarithms, "__powf(p, n)", "__tanf(n)"], "float"), operands
    )
    for text, (exact, limit) in relative.items():
        assert (_units(got[text], exact, 24, -126) <= limit).all(), text
    for text, (exact, bound) in absolute.items():
        assert (abs(got[text] - exact) <= bound).all(), text
    for text, function in logarithms.items():
        exact = function(positive.astype(np.float64))
        close = (positive >= 0.5) & (positive <= 2)
        assert (
            np.where(close, abs(got[text] - exact) <= 2**-21.41, _units(got[text], exact, 24, -126) <= 3)
        ).all(), text
    tangent = np.tan(
        near.astype(np.float64)
    )  # a quotient of __sinf and __cosf, with the absolute errors of both
    allowed = 2.0**-20 * (1 + abs(tangent) + tangent**2)
    assert (abs(got["__tanf(n)"] - tangent) <= np.where(abs(tangent) < 1e4, allowed, np.inf)).all()
    powers = positive.astype(np.float64) ** near
    held = (powers > 1e-37) & (powers < 3e38)
    assert np.allclose(got["__powf(p, n)"][held], powers[held], rtol=2e-4)


@pytest.mark.parametrize(("kind", "suffix"), [("float", "f"), ("double", "")])
def test_functions_of_infinities_zeros_and_nan_follow_c(evaluate, kind, suffix):
    dtype = np.float32 if kind == "float" else np.float64
    x = np.array([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e-42, 2.0], dtype)
    table: dict[str, Callable] = {
        "exp": np.exp, "log": np.log, "log2": np.log2, "log1p": np.log1p, "sqrt": np.sqrt, "sin": np.sin, "tan": np.tan, "atan": np.arctan, "acos": np.arccos,
        "tanh": np.tanh, "cosh": np.cosh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "cbrt": np.cbrt, "expm1": np.expm1,
    }  # fmt: skip
    tests = {
        "isnan(x)": np.isnan,
        "isinf(x)": np.isinf,
        "isfinite(x)": np.isfinite,
        "x < 1": lambda v: v < 1,
        "!(x >= 1)": lambda v: ~(v >= 1),
        "x != x": np.isnan,
    }
    got = evaluate(
        {f"{name}{suffix}(x)": kind for name in table} | dict.fromkeys(tests, "bool"), {"x": (kind, x)}
    )
    with np.errstate(all="ignore"):
        for name, function in table.items():
            value, expected = got[f"{name}{suffix}(x)"], function(x)
            assert (np.isnan(value) == np.isnan(expected)).all(), name
            known = ~np.isnan(expected)
            assert (np.signbit(value) == np.signbit(expected))[known].all(), name
            assert np.allclose(value[known], expected[known], rtol=1e-6, atol=0), name
        for text, function in tests.items():
            assert (got[text] == function(x)).all(), text
