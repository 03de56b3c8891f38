"""Approximate instructions err as far as PTX says they may, on both sides, and otherwise on every device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sandbox.simulator.instructions.catalogue import FORMULAS, Modifiers
from sandbox.simulator.numerics.rounding import bf16_to_f32, f32_to_bf16

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(5)
PI = np.pi


def ulp32(exact: Array) -> Array:
    return np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)


# mnemonic, true value, range of operands, largest error of (true value, operand): PTX ISA 9.0, 9.7.3 and 9.7.4
Row = tuple[str, Callable[..., Array], tuple[float, float], Callable[[Array, Array], Array]]
ROWS: list[Row] = [
    ("ex2.approx.ftz.f32", np.exp2, (-100, 100), lambda y, x: 2 * ulp32(y)),
    ("ex2.approx.f32", np.exp2, (-1, 0), lambda y, x: 2 * ulp32(y)),
    ("rcp.approx.ftz.f32", lambda x: 1 / x, (0.01, 100), lambda y, x: ulp32(y)),
    ("sqrt.approx.f32", np.sqrt, (0, 4000), lambda y, x: 2.0**-23 * y),
    ("rsqrt.approx.ftz.f32", lambda x: 1 / np.sqrt(x), (0.001, 4000), lambda y, x: ulp32(y)),
    ("lg2.approx.f32", np.log2, (0.51, 1.99), lambda y, x: np.full(y.shape, 2.0**-22.5)),
    ("lg2.approx.ftz.f32", np.log2, (2, 1e6), lambda y, x: 2.0**-23.5 * np.abs(y)),
    ("sin.approx.f32", np.sin, (-2 * PI, 2 * PI), lambda y, x: np.full(y.shape, 2.0**-20.5)),
    ("cos.approx.ftz.f32", np.cos, (7, 100 * PI), lambda y, x: np.full(y.shape, 2.0**-14.7)),
    ("tanh.approx.f32", np.tanh, (-2, 2), lambda y, x: 2.0**-11 * np.abs(y)),
    ("ex2.approx.f16", np.exp2, (-8, 8), lambda y, x: 2.0**-9.9 * y),
    ("tanh.approx.f16", np.tanh, (-1, 1), lambda y, x: np.full(y.shape, 2.0**-10.987)),
    ("ex2.approx.ftz.bf16", np.exp2, (-8, 8), lambda y, x: 2.0**-7 * y),
    ("tanh.approx.bf16", np.tanh, (-1, 1), lambda y, x: np.full(y.shape, 2.0**-8)),
]


def result_of(mnemonic: str, seed: int, *operands: Array) -> tuple[tuple[Array, ...], Array]:
    """The operands as the format has them and the result, in float64."""
    opcode, *parts = mnemonic.split(".")
    formula = FORMULAS[opcode].build(Modifiers(tuple(parts)))
    assert formula.approximate is not None
    with np.errstate(all="ignore"):
        if parts[-1] == "bf16":
            bits = tuple(f32_to_bf16(operand.astype(np.float32)) for operand in operands)
            found = bf16_to_f32(formula.approximate(seed, *bits))
            return tuple(bf16_to_f32(one).astype(np.float64) for one in bits), found.astype(np.float64)
        dtype = np.float16 if parts[-1] == "f16" else np.float32
        given = tuple(operand.astype(dtype) for operand in operands)
        found = formula.approximate(seed, *given)
        return tuple(one.astype(np.float64) for one in given), found.astype(np.float64)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_errors_reach_the_documented_maximum_on_both_sides_and_never_exceed_it(row: Row) -> None:
    mnemonic, function, (low, high), limit = row
    (x,), y = result_of(mnemonic, 77, RNG.uniform(low, high, (1, 1, 20_000)))
    exact = function(x)
    allowed = limit(exact, x)
    part = (y - exact) / allowed
    assert np.abs(part).max() <= 1 + 1e-12
    coarse = mnemonic.endswith(("f16", "rcp.approx.ftz.f32", "rsqrt.approx.ftz.f32", "lg2.approx.ftz.f32"))
    assert part.max() > (0.7 if coarse else 0.9)
    assert part.min() < -(0.7 if coarse else 0.9)
    assert abs(part.mean()) < 0.05


@pytest.mark.parametrize("mnemonic", ["div.approx.ftz.f32", "div.full.f32"])
def test_quotients_err_by_two_units_in_the_last_place(mnemonic: str) -> None:
    (a, b), y = result_of(mnemonic, 3, RNG.normal(size=(1, 1, 20_000)), RNG.uniform(0.1, 9, (1, 1, 20_000)))
    part = (y - a / b) / ulp32(a / b)
    assert 1.8 < part.max() <= 2
    assert -2 <= part.min() < -1.8


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_another_seed_is_another_device_and_the_same_one_the_same(row: Row) -> None:
    mnemonic, _, (low, high), _ = row
    x = RNG.uniform(low, high, (1, 1, 1000))
    first, again, other = (result_of(mnemonic, seed, x)[1] for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert np.count_nonzero(first != other) > 200


def test_a_result_depends_on_its_operands_alone() -> None:
    x = RNG.uniform(0, 9, (1, 1, 500))
    together = result_of("ex2.approx.f32", 9, x)[1]
    order = RNG.permutation(500)
    assert result_of("ex2.approx.f32", 9, x[..., order])[1].tobytes() == together[..., order].tobytes()


@pytest.mark.parametrize(
    ("mnemonic", "operands", "results"),
    [
        ("ex2.approx.f32", [-np.inf, -0.0, 0.0, np.inf, np.nan], [0.0, 1.0, 1.0, np.inf, np.nan]),
        ("ex2.approx.f16", [-np.inf, -0.0, 0.0, np.inf, np.nan], [0.0, 1.0, 1.0, np.inf, np.nan]),
        ("ex2.approx.ftz.bf16", [-np.inf, -0.0, 0.0, np.inf, np.nan], [0.0, 1.0, 1.0, np.inf, np.nan]),
        ("rcp.approx.f32", [-np.inf, -0.0, 0.0, np.inf, np.nan], [-0.0, -np.inf, np.inf, 0.0, np.nan]),
        ("sqrt.approx.f32", [-np.inf, -1.0, -0.0, 0.0, np.inf], [np.nan, np.nan, -0.0, 0.0, np.inf]),
        ("rsqrt.approx.f32", [-1.0, -0.0, 0.0, np.inf, np.nan], [np.nan, -np.inf, np.inf, 0.0, np.nan]),
        ("sin.approx.f32", [-np.inf, -0.0, 0.0, np.inf, np.nan], [np.nan, -0.0, 0.0, np.nan, np.nan]),
        ("cos.approx.f32", [-np.inf, -0.0, 0.0, np.inf, np.nan], [np.nan, 1.0, 1.0, np.nan, np.nan]),
        ("lg2.approx.f32", [-1.0, -0.0, 0.0, np.inf, np.nan], [np.nan, -np.inf, -np.inf, np.inf, np.nan]),
        ("tanh.approx.f32", [-np.inf, -0.0, 0.0, np.inf, np.nan], [-1.0, -0.0, 0.0, 1.0, np.nan]),
        ("tanh.approx.f16", [-np.inf, -0.0, 0.0, np.inf, np.nan], [-1.0, -0.0, 0.0, 1.0, np.nan]),
        ("tanh.approx.bf16", [-np.inf, -0.0, 0.0, np.inf, np.nan], [-1.0, -0.0, 0.0, 1.0, np.nan]),
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_results_that_ptx_states_have_no_error(
    mnemonic: str, operands: list[float], results: list[float], seed: int
) -> None:
    _, found = result_of(mnemonic, seed, np.array(operands).reshape(1, 1, -1))
    expected = np.array(results)
    assert np.array_equal(found.reshape(-1), expected, equal_nan=True)
    zero = expected == 0
    assert (np.signbit(found.reshape(-1)) == np.signbit(expected))[zero].all()


@pytest.mark.parametrize(("a", "quotient"), [(5.0, 0.0), (-5.0, -0.0), (np.inf, np.nan)])
def test_the_approximate_quotient_by_a_huge_divisor_is_lost(a: float, quotient: float) -> None:
    _, found = result_of("div.approx.f32", 1, np.full((1, 1, 1), a), np.full((1, 1, 1), 2.0**127))
    assert np.array_equal(found.reshape(-1), [quotient], equal_nan=True)
    assert np.signbit(found.flat[0]) == np.signbit(quotient) or np.isnan(quotient)
    _, full = result_of("div.full.f32", 1, np.full((1, 1, 1), 2.0**126), np.full((1, 1, 1), 2.0**127))
    assert abs(full.flat[0] - 0.5) <= 2.0**-22


def test_bounded_functions_stay_within_their_bounds() -> None:
    for mnemonic in ("tanh.approx.f32", "sin.approx.f32", "cos.approx.f32", "tanh.approx.f16"):
        _, found = result_of(mnemonic, 4, RNG.uniform(-300, 300, (1, 1, 5000)))
        assert np.abs(found).max() <= 1


def test_two_runs_on_one_input_meet_one_device_and_another_input_another(cuda: Any) -> None:
    source = """extern "C" __global__ void k(const float* x, float* y) {
      int i = blockIdx.x * blockDim.x + threadIdx.x; y[i] = __expf(x[i & 255]); }"""
    kernel = cuda(source)
    x = RNG.standard_normal(256).astype(np.float32)
    first, second = (
        kernel.run(2, 256, {"x": x, "y": ("float32", 512)}, poison=poison).outputs["y"] for poison in (2, 3)
    )
    assert first.tobytes() == second.tobytes()
    assert first[:256].tobytes() == first[256:].tobytes()
    changed = x.copy()
    changed[0] += 1
    other = kernel.run(2, 256, {"x": changed, "y": ("float32", 512)}, poison=2).outputs["y"]
    assert np.count_nonzero(other[1:256] != first[1:256]) > 50


def test_an_error_never_changes_the_sign_of_a_result() -> None:
    """Two to the power of -149 is nearly nothing; less than nothing it is on no device."""
    for seed in range(20):
        _, y = result_of("ex2.approx.f32", seed, RNG.uniform(-152, -147, (1, 1, 500)))
        assert not np.signbit(y).any()
