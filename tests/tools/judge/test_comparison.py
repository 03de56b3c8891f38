"""The comparison of an output with its reference."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sandbox.dtypes import FLOATS
from sandbox.poison import poison_bytes
from tools.judge.comparison import SHOWN, Comparison, Expectation, compare
from tools.judge.error_bound import error_bound, unit_in_last_place

Array = np.ndarray[Any, Any]
DTYPES = {
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
}
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def judge(got: Array, expected: Array, dtype: str = "float32", magnitude: Array | None = None) -> Comparison:
    return compare(got, Expectation("y", dtype, expected, magnitude), constant=8)


floats32 = hnp.arrays(np.float32, st.integers(1, 20), elements=st.floats(width=32, allow_nan=False))


@given(values=hnp.arrays(np.float32, st.integers(0, 20), elements=st.floats(width=32)))
def test_the_reference_itself_passes_even_with_nan_and_infinities(values: Array) -> None:
    comparison = judge(values, values.astype(np.float64))
    assert comparison.wrong == 0
    assert comparison.worst_ratio == 0
    assert comparison.constant == 0


@given(values=floats32, data=st.data())
def test_a_nan_where_a_number_was_expected_never_passes(values: Array, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, values.size - 1))
    got = values.copy()
    got[place] = np.nan
    comparison = judge(got, values.astype(np.float64), magnitude=np.full(values.size, np.inf))
    assert comparison.wrong == 1
    assert comparison.nans == 1
    assert comparison.worst_ratio == math.inf
    assert comparison.first[0].index == (place,)
    assert comparison.first[0].got == "nan"


@given(values=floats32, got=st.floats(width=32, allow_nan=False))
def test_a_number_where_nan_was_expected_never_passes(values: Array, got: float) -> None:
    comparison = judge(np.full(values.size, got, np.float32), np.full(values.size, np.nan))
    assert comparison.wrong == values.size


@pytest.mark.parametrize(
    ("got", "expected"), [(-math.inf, math.inf), (math.inf, 1.0), (1.0, -math.inf), (math.nan, math.inf)]
)
def test_an_infinity_must_be_the_same_infinity(got: float, expected: float) -> None:
    assert judge(np.array([got], np.float32), np.array([expected])).wrong == 1


def test_a_value_that_overflows_the_dtype_may_come_out_as_infinity_or_as_the_largest_number() -> None:
    expected = np.array([65519.0, 65520.0, 1e6, -1e6])
    assert judge(np.array([65504, np.inf, np.inf, -np.inf], np.float16), expected, "float16").wrong == 0
    assert judge(np.array([65504, 65504, np.inf, np.inf], np.float16), expected, "float16").wrong == 1


@given(
    expected=hnp.arrays(np.float64, 4, elements=st.floats(-1e30, 1e30)),
    terms=hnp.arrays(np.float64, 4, elements=st.floats(0, 1e30)),
    factor=st.floats(-3, 3),
    constant=st.floats(0.5, 64),
)
def test_an_element_passes_exactly_where_its_error_is_within_the_bound(
    expected: Array, terms: Array, factor: float, constant: float
) -> None:
    limit = error_bound(expected, terms, "float64").limit(constant)
    got = expected + factor * limit
    comparison = compare(got, Expectation("y", "float64", expected, terms), constant=constant)
    within = np.abs(got - expected) <= limit
    assert comparison.wrong == int((~within).sum())
    assert (comparison.worst_ratio > 1) == (comparison.wrong > 0)


@given(
    expected=hnp.arrays(np.float64, 6, elements=st.floats(-1e6, 1e6)),
    noise=hnp.arrays(np.float64, 6, elements=st.floats(-1e-3, 1e-3)),
)
def test_the_reported_constant_is_just_enough_to_pass(expected: Array, noise: Array) -> None:
    expectation = Expectation("y", "float32", expected, np.ones(6))
    got = (expected + noise).astype(np.float32)
    needed = compare(got, expectation, constant=1).constant
    assert compare(got, expectation, constant=needed * (1 + 1e-9)).wrong == 0
    if needed > 0:
        assert compare(got, expectation, constant=needed * 0.99).wrong > 0


@pytest.mark.parametrize("dtype", DTYPES)
@given(value=st.floats(1e-4, 6e4))
def test_the_unit_in_the_last_place_is_the_distance_to_the_next_number(dtype: str, value: float) -> None:
    rounded = np.array([value]).astype(DTYPES[dtype])
    width = np.dtype(f"u{rounded.dtype.itemsize}")
    following = (rounded.view(width) + 1).astype(width).view(rounded.dtype)
    unit = unit_in_last_place(rounded.astype(np.float64), FLOATS[dtype])
    assert unit[0] == float(following[0]) - float(rounded[0])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_zero_and_subnormals_have_the_least_spacing(dtype: str) -> None:
    least = float(np.finfo(dtype).smallest_subnormal)
    assert unit_in_last_place(np.array([0.0, least, 3 * least]), FLOATS[dtype]).tolist() == [least] * 3


@pytest.mark.parametrize("dtype", DTYPES)
def test_rounding_to_the_dtype_is_always_within_the_bound(dtype: str) -> None:
    expected = np.random.default_rng(1).normal(0, 100, 1000)
    comparison = compare(expected.astype(DTYPES[dtype]), Expectation("y", dtype, expected), constant=0)
    assert comparison.wrong == 0
    assert 0 <= comparison.worst_ratio <= 0.5


def test_a_missing_magnitude_counts_as_the_value_itself() -> None:
    expected = np.array([1.0])
    assert judge(np.array([1 + 9 * 2.0**-23], np.float32), expected).wrong == 0
    assert judge(np.array([1 + 10 * 2.0**-23], np.float32), expected).wrong == 1


def test_an_unbounded_magnitude_widens_nothing() -> None:
    assert judge(np.array([1.1], np.float32), np.array([1.0]), magnitude=np.array([np.inf])).wrong == 1
    assert judge(np.array([1.1], np.float32), np.array([1.0]), magnitude=np.array([np.nan])).wrong == 1


def test_zeros_do_not_pass_for_a_softmax_over_a_very_long_row() -> None:
    logits = np.random.default_rng(0).uniform(0, 1, 393_216)
    exact = np.exp(logits) / np.exp(logits).sum()
    assert judge(np.zeros(exact.size, np.float32), exact, magnitude=2 * exact).wrong == exact.size


@pytest.mark.parametrize("dtype", INTEGERS)
@given(data=st.data())
def test_integers_must_be_exact(dtype: str, data: st.DataObject) -> None:
    info = np.iinfo(dtype)
    values = data.draw(hnp.arrays(dtype, st.integers(1, 8), elements=st.integers(info.min, info.max)))
    assert judge(values, values, dtype).wrong == 0
    off = values.copy()
    off[-1] ^= np.array(1, dtype)
    comparison = judge(off, values, dtype)
    assert comparison.wrong == 1
    assert comparison.constant == math.inf
    assert comparison.first[0].expected == int(values[-1])


def test_a_bool_must_be_zero_or_one_in_memory() -> None:
    expected = np.array([True, True, False])
    assert judge(expected, expected, "bool").wrong == 0
    got = np.array([1, 2, 0], np.uint8).view(np.bool_)
    comparison = judge(got, expected, "bool")
    assert comparison.wrong == 1
    assert comparison.first[0].got == 2


def test_what_still_holds_the_poison_counts_as_unwritten() -> None:
    poison = poison_bytes(3, "y", 40)
    got = poison.view(np.float32).copy()
    got[:4] = 7.0
    comparison = compare(got, Expectation("y", "float32", np.full(10, 7.0)), constant=8, poison=poison)
    assert (comparison.wrong, comparison.unwritten, comparison.total) == (6, 6, 10)


def test_a_right_element_that_equals_the_poison_is_right() -> None:
    poison = poison_bytes(3, "y", 4)
    comparison = compare(
        poison.view(np.int32), Expectation("y", "int32", poison.view(np.int32)), constant=8, poison=poison
    )
    assert (comparison.wrong, comparison.unwritten) == (0, 0)


def test_mismatches_name_the_place_in_every_dimension_in_row_major_order() -> None:
    expected = np.arange(12.0).reshape(3, 4)
    got = expected.astype(np.float32)
    got[1, 3] = got[2, 3] = -1
    comparison = judge(got.reshape(-1), expected)
    assert [mismatch.index for mismatch in comparison.first] == [(1, 3), (2, 3)]
    assert (comparison.low, comparison.high) == ((1, 3), (2, 3))
    assert comparison.first[0].expected == 7
    assert comparison.first[0].bound == pytest.approx(7 * 8 * 2.0**-23 + 4 * 2.0**-23)


def test_only_the_first_few_mismatches_are_kept() -> None:
    comparison = judge(np.zeros(100, np.float32), np.ones(100))
    assert comparison.wrong == 100
    assert len(comparison.first) == SHOWN


def test_a_scalar_reference_counts_as_one_element() -> None:
    assert judge(np.array([2.0], np.float32), np.array(1.0)).first[0].index == (0,)


def test_another_size_or_dtype_is_a_bug_not_a_verdict() -> None:
    with pytest.raises(ValueError, match="3 elements of float32 came back, 4 of float32"):
        judge(np.zeros(3, np.float32), np.zeros(4))
    with pytest.raises(ValueError, match="float64"):
        judge(np.zeros(4), np.zeros(4))


def test_bfloat16_outputs_are_judged_by_their_own_precision() -> None:
    expected = np.array([1.0, 1.0])
    got = np.array([1 + 2.0**-7, 1 + 2.0**-3], ml_dtypes.bfloat16)
    assert compare(got, Expectation("y", "bfloat16", expected), constant=1).wrong == 1


def test_a_signalling_nan_is_wrong_without_a_warning() -> None:
    got = np.array([0x7F800001], np.uint32).view(np.float32)
    assert judge(got, np.array([1.0])).nans == 1


@pytest.mark.parametrize(
    ("dtype", "wrong"), [("float32", 0), ("bfloat16", 0), ("float64", 0), ("float16", 1)]
)
def test_a_subnormal_result_may_be_flushed_to_zero_except_in_float16(dtype: str, wrong: int) -> None:
    smallest = FLOATS[dtype].smallest_normal
    zeros = np.zeros(1, DTYPES[dtype])
    assert compare(zeros, Expectation("y", dtype, np.array([smallest / 2])), constant=1).wrong == wrong
    assert compare(zeros, Expectation("y", dtype, np.array([2 * smallest])), constant=1).wrong == 1


@pytest.mark.parametrize(
    ("dtype", "values"), [("float32", [1.0, 2.5, np.nan, np.inf]), ("int32", [1, 2, 3, 4])]
)
def test_only_what_is_told_is_judged(dtype: str, values: list[float]) -> None:
    expectation = Expectation("y", dtype, np.array(values))
    got = np.array([7, 2.5 if dtype == "float32" else 2, 9, 9], dtype)
    found = compare(got, expectation, constant=8.0, told=np.array([False, True, False, False]))
    assert (found.wrong, found.total, found.worst_ratio) == (0, 1, 0.0)
    found = compare(got, expectation, constant=8.0, told=np.array([True, True, False, False]))
    assert (found.wrong, found.total) == (1, 2)
    assert found.first[0].index == (0,)
