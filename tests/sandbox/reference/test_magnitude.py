from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sandbox.device import Array
from sandbox.reference.magnitude import estimate, unit_in_last_place

floats = hnp.arrays(
    st.sampled_from([np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)]),
    st.integers(1, 20),
    elements={"allow_nan": False, "allow_infinity": False},
)


@given(floats)
def test_a_unit_in_the_last_place_is_the_gap_to_the_next_number_away_from_zero(array: Array) -> None:
    with np.errstate(over="ignore"):
        gaps = np.spacing(np.abs(array)).astype(np.float64)
    below_the_largest = np.isfinite(gaps)
    np.testing.assert_array_equal(unit_in_last_place(array)[below_the_largest], gaps[below_the_largest])


def test_it_holds_for_every_finite_bfloat16() -> None:
    bits = np.arange(0x7F7F, dtype=np.uint16)
    numbers, following = bits.view(ml_dtypes.bfloat16), (bits + 1).astype(np.uint16).view(ml_dtypes.bfloat16)
    gaps = following.astype(np.float64) - numbers.astype(np.float64)
    np.testing.assert_array_equal(unit_in_last_place(numbers), gaps)


def test_what_is_not_finite_is_not_moved() -> None:
    array = np.array([np.inf, -np.inf, np.nan, 1.0], np.float32)
    np.testing.assert_array_equal(unit_in_last_place(array), [0, 0, 0, 2.0**-23])


def scale_of(function: str, draws: int = 4, dtype: str = "float32", **inputs: Array) -> Array:
    functions = {
        "sum": lambda x: x["x"].sum(keepdims=True),
        "dot": lambda x: (x["x"] * x["y"]).sum(keepdims=True),
        "copy": lambda x: x["x"],
        "relu": lambda x: np.maximum(x["x"], 0),
        "log": lambda x: np.log(x["x"]),
    }

    def evaluate(given: dict[str, Array]) -> dict[str, Array]:
        with np.errstate(all="ignore"):
            wide = {name: array.astype(np.float64) for name, array in given.items()}
            return {"z": functions[function](wide)}

    random = np.random.default_rng(1)
    return estimate(evaluate, inputs, evaluate(inputs), {"z": dtype}, random, draws)["z"]  # pyright: ignore


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_a_sum_that_cancels_has_the_scale_of_its_terms_whatever_their_dtype(dtype: type) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, 1000).astype(dtype)
    absolute = float(np.abs(x.astype(np.float64)).sum())
    assert 0.5 * absolute < scale_of("sum", x=x)[0] < 1.5 * absolute


def test_inputs_of_two_dtypes_add_up() -> None:
    x, y = np.ones(100, np.float16), np.ones(100, np.float32)
    assert 150 < scale_of("dot", x=x, y=y)[0] < 250


def test_the_scale_is_never_below_the_output() -> None:
    x = np.array([0, 0.75, 1e30, -3], np.float32)
    assert (scale_of("copy", x=x) >= np.abs(x)).all()
    assert scale_of("relu", x=x)[3] == 0


def test_where_an_output_is_not_finite_the_scale_is_zero() -> None:
    x = np.array([0.0, -1.0, np.inf, np.nan, 2.0], np.float32)
    scale = scale_of("log", x=x)
    np.testing.assert_array_equal(scale[:4], 0)
    assert scale[4] > 0.6


def test_integers_are_not_moved() -> None:
    np.testing.assert_array_equal(scale_of("sum", x=np.arange(5)), [10])
