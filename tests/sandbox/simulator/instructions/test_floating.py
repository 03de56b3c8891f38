"""Single and double precision: IEEE results bit for bit, in every rounding, over every exponent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

RNG = np.random.default_rng(17)
MODES = ("rn", "rz", "ru", "rd")
FORMS = {"float": ("f32", np.float32, np.uint32), "double": ("f64", np.float64, np.uint64)}
OPERATIONS: dict[str, Callable] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "fma": lambda x, y, z: x * y + z,
}


def _numbers(kind: str, seed: int, count: int = 90) -> np.ndarray:
    """Any bit pattern, both ends of the range, specials, and numbers near one whose results nearly tie."""
    _, dtype, unsigned = FORMS[kind]
    rng, info = np.random.default_rng(seed), np.finfo(dtype)
    special = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        np.inf,
        -np.inf,
        np.nan,
        info.max,
        -info.max,
        info.tiny,
        info.smallest_subnormal,
    ]
    raw = rng.integers(0, 2 ** (unsigned(0).nbytes * 8), count, dtype=np.uint64).astype(unsigned).view(dtype)
    near = 1 + rng.integers(-40, 40, count) * info.eps
    low = rng.integers(0, 2 ** (info.nmant + 2), count // 3, dtype=np.uint64).astype(unsigned).view(dtype)
    high = (info.max * rng.uniform(0.1, 1, count // 3)).astype(dtype)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return rng.permutation(np.concatenate([special, raw, near, low, high]).astype(dtype))


def same(got: np.ndarray, expected: np.ndarray, text: str, operands: list[np.ndarray]) -> None:
    """Equal, the sign of zero included; any NaN is as good as any other."""
    with np.errstate(invalid="ignore"):  # signalling NaNs
        got, expected = got.astype(np.float64), expected.astype(np.float64)
    nan = np.isnan(expected)
    wrong = (np.isnan(got) != nan) | (~nan & (got.view(np.uint64) != expected.view(np.uint64)))
    assert not wrong.any(), (text, [x[wrong][:2] for x in operands], got[wrong][:2], expected[wrong][:2])


def _intrinsic(kind: str, name: str, mode: str) -> str:
    letter, name = ("f", name) if kind == "float" else ("d", name)
    if name == "fma":
        return f"__fma{'f' if kind == 'float' else ''}_{mode}(x, y, z)"
    return f"__{letter}{name}_{mode}(x, y)"


@pytest.mark.parametrize("kind", ["float", "double"])
@pytest.mark.parametrize("seed", [0, 3])
def test_arithmetic_is_correctly_rounded_in_every_mode(evaluate, ieee, kind, seed):
    form, dtype, _ = FORMS[kind]
    operands = [_numbers(kind, seed + k) for k in range(3)]
    with np.errstate(all="ignore"):
        operands[2][::4] = -(operands[0] * operands[1].astype(np.float64)).astype(dtype)[::4]
    cases = {
        _intrinsic(kind, name, mode): (function, mode)
        for name, function in OPERATIONS.items()
        for mode in MODES
    }
    got = evaluate(dict.fromkeys(cases, kind), {n: (kind, x) for n, x in zip("xyz", operands, strict=True)})
    for name, function in OPERATIONS.items():
        given = operands[: 3 if name == "fma" else 2]
        rounded = {mode: ieee(function, given, form, mode) for mode in MODES}
        if name in {"add", "sub", "fma"}:
            nothing = (rounded["ru"] == 0) & (rounded["rd"] == 0)
            rounded["rd"] = np.where(nothing & _unlike(name, operands), -0.0, rounded["rd"])
        for mode in MODES:
            text = _intrinsic(kind, name, mode)
            same(got[text], rounded[mode], text, operands)


def _unlike(name: str, operands: list[np.ndarray]) -> np.ndarray:
    """Where a sum has a negative term: if it is exactly zero, it is -0 rounded down (IEEE 754-2019, 6.3)."""
    with np.errstate(all="ignore"):
        x, y, z = (v.astype(np.float64) for v in operands)
        first, second = {"add": (x, y), "sub": (x, -y), "fma": (x * y, z)}[name]
    return np.signbit(first) | np.signbit(second)


@pytest.mark.parametrize("kind", ["float", "double"])
def test_roots_reciprocals_and_plain_operators_round_once(evaluate, ieee, kind):
    form = FORMS[kind][0]
    x, y = _numbers(kind, 1), _numbers(kind, 2)
    letter = kind[0]
    roots = {f"__{letter}sqrt_{mode}(x)": mode for mode in MODES}
    reciprocals = {f"__{letter}rcp_{mode}(x)": mode for mode in MODES}
    plain = {
        "x + y": np.add,
        "x * y": np.multiply,
        "x / y": np.divide,
        "-x": lambda a, b: -a,
        "sqrt(x)": lambda a, b: np.sqrt(a),
    }
    fused = {"fma(x, y, x)": lambda a, b: a * b + a}
    cases = dict.fromkeys([*roots, *reciprocals, *plain, *fused], kind)
    got = evaluate(cases, {"x": (kind, x), "y": (kind, y)}, "sm_75")
    with np.errstate(all="ignore"):
        for text, function in plain.items():
            same(got[text], function(x, y), text, [x, y])
        same(got["fma(x, y, x)"], ieee(fused["fma(x, y, x)"], [x, y], form), "fma", [x, y])
        for text, mode in reciprocals.items():
            same(got[text], ieee(lambda a: 1 / a, [x], form, mode), text, [x])
        for text, mode in roots.items():
            _check_root(got[text], x, mode, text)


def _check_root(got: np.ndarray, x: np.ndarray, mode: str, text: str) -> None:
    """The exact square of a root and of its neighbours tells on which side of the true root it lies."""
    from fractions import Fraction

    special = ~np.isfinite(x) | (x <= 0)
    same(got[special], np.sqrt(x[special]), text, [x[special]])
    for value, root in zip(x[~special], got[~special], strict=True):
        exact, here = Fraction(float(value)), Fraction(float(root))
        above, below = (Fraction(float(np.nextafter(root, root.dtype.type(to)))) for to in (np.inf, 0))
        assert {
            "rn": ((here + above) / 2) ** 2 >= exact >= ((here + below) / 2) ** 2,
            "rz": here**2 <= exact < above**2, "rd": here**2 <= exact < above**2, "ru": below**2 < exact <= here**2,
        }[mode], (text, value, root)  # fmt: skip


def test_minimum_maximum_and_comparisons_treat_nan_and_zero_as_ptx_does(evaluate):
    special = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-42], np.float32)
    x, y = (v.reshape(-1) for v in np.meshgrid(special, special))
    prelude = "".join(
        f'__device__ float {name}_nan(float a, float b) {{ float r; asm("{name}.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b)); return r; }}'
        for name in ("min", "max")
    )
    relations = {
        "x < y": np.less,
        "x <= y": np.less_equal,
        "x == y": np.equal,
        "x != y": np.not_equal,
        "x > y": np.greater,
        "!(x < y)": lambda a, b: ~(a < b),
    }
    values = [
        "fminf(x, y)",
        "fmaxf(x, y)",
        "min_nan(x, y)",
        "max_nan(x, y)",
        "(float)fmin((double)x, (double)y)",
        "fabsf(x) + y * 0",
    ]
    got = evaluate(
        dict.fromkeys(values, "float") | dict.fromkeys(relations, "bool"),
        {"x": ("float", x), "y": ("float", y)},
        "sm_80",
        prelude,
    )
    for text, relation in relations.items():
        assert (got[text] == relation(x, y)).all(), text
    nan = np.isnan(x) | np.isnan(y)
    lower = np.array([min((a, b), key=lambda v: (v, -int(np.signbit(v)))) for a, b in zip(x, y, strict=True)])
    upper = np.array([max((a, b), key=lambda v: (v, -int(np.signbit(v)))) for a, b in zip(x, y, strict=True)])
    other = np.where(np.isnan(x), y, x)
    same(got["fminf(x, y)"], np.where(nan, other, lower), "fminf", [x, y])
    same(got["(float)fmin((double)x, (double)y)"], np.where(nan, other, lower), "fmin", [x, y])
    same(got["fmaxf(x, y)"], np.where(nan, other, upper), "fmaxf", [x, y])
    same(got["min_nan(x, y)"], np.where(nan, np.nan, lower), "min.NaN", [x, y])
    same(got["max_nan(x, y)"], np.where(nan, np.nan, upper), "max.NaN", [x, y])


def test_flushing_replaces_subnormals_going_in_and_coming_out(evaluate):
    x = np.array([1e-40, -1e-40, 2e-38, 1e-38, 3e-20, 1.0, -0.0, np.inf, 5e-39], np.float32)
    y = np.array([1.0, 2.0, 0.5, -1e-38, 1e-20, 1e-45, -1e-44, 1e-40, 1e-40], np.float32)
    operations = {"add": np.add, "mul": np.multiply, "sub": np.subtract, "min": np.fmin}
    prelude = "".join(
        f'__device__ float {name}(float a, float b) {{ float r; asm("{name}.ftz.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b)); return r; }}'
        for name in operations
    )
    prelude += '__device__ float sat(float a, float b) { float r; asm("add.sat.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b)); return r; }'
    prelude += '__device__ bool below(float a, float b) { int r; asm("{ .reg .pred p; setp.lt.ftz.f32 p, %1, %2; selp.s32 %0, 1, 0, p; }" : "=r"(r) : "f"(a), "f"(b)); return r; }'
    cases = {f"{name}(x, y)": "float" for name in operations} | {"sat(x, y)": "float", "below(x, y)": "bool"}
    got = evaluate(cases, {"x": ("float", x), "y": ("float", y)}, "sm_90", prelude)

    def flush(value: np.ndarray) -> np.ndarray:
        return np.where(abs(value) < np.finfo(np.float32).tiny, np.copysign(np.float32(0), value), value)

    with np.errstate(all="ignore"):
        for name, function in operations.items():
            same(got[f"{name}(x, y)"], flush(function(flush(x), flush(y))), name, [x, y])
        same(got["sat(x, y)"], np.where(x + y > 0, np.minimum(x + y, 1), 0), "sat", [x, y])
        assert (got["below(x, y)"] == (flush(x) < flush(y))).all()
