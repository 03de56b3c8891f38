from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.dtypes import DTYPE_BYTES, numpy_dtype
from tools.tasks.errors import GeneratorError
from tools.tasks.generators import (
    constant_scalar,
    generate,
    inputs_for,
    parse_call,
    samples_for,
    scalars_for,
)
from tools.tasks.task import Case, Task, TaskArgument, TaskError

FLOATS = ["float16", "bfloat16", "float32", "float64"]
INTEGERS = [name for name in DTYPE_BYTES if "int" in name]
CALLS = [
    "uniform(-1.5, 2)",
    "normal(1e4, 1)",
    "integers(0, 1)",
    "constant(1)",
    "permutation()",
    "ties(3)",
    "one_hot()",
    "large()",
    "large(1e300)",
    "tiny()",
    "denormal()",
    "mixed()",
    "mixed(30)",
]


def make(call: str, shape: tuple[int, ...] = (6, 50), dtype: str = "float32", seed: int = 1):
    return generate(call, shape, dtype, np.random.default_rng(seed))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("call", CALLS)
def test_every_generator_fills_every_floating_dtype_with_finite_values(call: str, dtype: str) -> None:
    for shape in [(), (1,), (3, 1), (4, 5, 6)]:
        values = make(call, shape, dtype)
        assert values.dtype == numpy_dtype(dtype)
        assert values.shape == shape
        assert values.flags.c_contiguous
        assert np.isfinite(values.astype(np.float64)).all()


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
@pytest.mark.parametrize("call", ["integers(0, 1)", "constant(1)", "one_hot()", "large()", "ties(2)"])
def test_whole_number_generators_fill_every_integer_dtype(call: str, dtype: str) -> None:
    if dtype == "bool" and call == "ties(2)":
        assert set(make("ties(2)", dtype="bool").reshape(-1).tolist()) == {False, True}
    assert make(call, dtype=dtype).dtype == np.dtype(dtype)


def test_integers_include_both_ends() -> None:
    assert set(make("integers(-2, 2)").reshape(-1).tolist()) == {-2, -1, 0, 1, 2}
    largest = 2**64 - 1
    assert make(f"integers({largest}, {largest})", (2,), "uint64").tolist() == [largest, largest]


def test_a_permutation_names_every_element_once() -> None:
    assert sorted(make("permutation()").reshape(-1).tolist()) == list(range(300))


def test_ties_make_just_so_many_values() -> None:
    assert len(set(make("ties(3)").reshape(-1).tolist())) == 3
    assert make("ties(3)", dtype="uint8").max() == 2


def test_one_hot_makes_one_1_in_every_row_and_uses_both_edges() -> None:
    values = make("one_hot()", (30, 17))
    assert (values.sum(axis=1) == 1).all()
    assert {0, 16} < set(values.argmax(axis=1).tolist())


@pytest.mark.parametrize("dtype", FLOATS)
def test_denormals_are_below_the_smallest_normal_and_tiny_ones_are_not(dtype: str) -> None:
    least = {"float16": 2.0**-14, "float64": 2.0**-1022}.get(dtype, 2.0**-126)
    below = np.abs(make("denormal()", dtype=dtype).astype(np.float64))
    assert (below > 0).all()
    assert (below < least).all()
    tiny = np.abs(make("tiny()", dtype=dtype).astype(np.float64))
    assert (tiny >= least).all()
    assert (tiny <= least * 1024).all()


def test_large_spans_its_scale_with_both_signs() -> None:
    values = make("large(200)", (1000,))
    assert values.min() < -150
    assert values.max() > 150
    assert np.abs(make("large()", dtype="int16").astype(int)).min() >= 2**14 - 1


def test_mixed_spans_decades_with_both_signs() -> None:
    values = make("mixed()", (1000,))
    assert values.min() < -100
    assert values.max() > 100
    assert np.abs(values).min() < 0.01


@pytest.mark.parametrize(
    ("call", "dtype", "expected"),
    [
        ("uniform(0, 1)", "int32", "floating point values"),
        ("uniform(1, 0)", "float32", "low <= high"),
        ("normal(0, -1)", "float32", "deviation of at least 0"),
        ("normal(0)", "float32", "takes 2 numbers, found 1"),
        ("integers(0, 300)", "uint8", "expected 0 to 255"),
        ("integers(0, 1.5)", "float32", "whole low <= high"),
        ("constant(0.5)", "int32", "whole int32"),
        ("constant(True)", "int32", "plain number"),
        ("constant(inf)", "int32", "whole int32"),
        ("uniform(0, inf)", "float32", "plain number"),
        ("permutation()", "uint8", "holds 299"),
        ("ties(0)", "float32", "whole count"),
        ("ties(3)", "bool", "expected 0 to 1"),
        ("mixed(99)", "float32", "decades"),
        ("large(0)", "float32", "scale above 0"),
        ("normal(0, 1", "float32", "expected a call of one of"),
        ("gauss(0, 1)", "float32", "expected a call of one of"),
        ("normal(x, 1)", "float32", "plain number"),
        ("constant(__import__('os'))", "float32", "plain number"),
        ("constant(1e999)", "float32", "plain number"),
        ("constant(" + "-" * 90 + "1)", "float32", "plain number"),
        ("constant(" + "(" * 200, "float32", "expected a call"),
        ("uniform(0, 1)", "float8", "expected a dtype"),
    ],
)
def test_a_call_that_does_not_fit_says_what_was_expected(call: str, dtype: str, expected: str) -> None:
    with pytest.raises(TaskError) as caught:
        make(call, dtype=dtype)
    assert expected in str(caught.value)


@given(st.text(max_size=40) | st.from_regex(r"\A(uniform|constant|ties)\([-0-9.e, ()]*\)\Z"))
def test_any_text_is_a_generator_call_or_a_generator_error(call: str) -> None:
    try:
        name, _ = parse_call(call)
    except GeneratorError:
        return
    assert call.strip().startswith(name)


@given(
    st.floats(-3e4, 3e4),
    st.floats(0, 3e4),
    st.sampled_from(FLOATS),
    st.integers(0, 2**32),
    st.integers(1, 50),
)
def test_uniform_stays_between_its_ends_up_to_rounding(
    low: float, width: float, dtype: str, seed: int, size: int
) -> None:
    values = make(f"uniform({low!r}, {low + width!r})", (size,), dtype, seed).astype(np.float64)
    slack = 2.0**-8 * max(abs(low), abs(low + width)) + 1e-7
    assert (values >= low - slack).all()
    assert (values <= low + width + slack).all()


def a_task(*arguments: TaskArgument) -> Task:
    case = Case({"rows": 4, "cols": 10})
    return Task(
        "t",
        "s",
        ("rows", "cols"),
        arguments,
        (case,),
        (case,),
        "0",
        "0",
        folder=Path(),
        sha="",
        reference="",
        baseline="",
    )


X = TaskArgument("x", "in", "float32", ("rows", "cols"), "normal(0, 1)")
Z = TaskArgument("z", "inout", "float16", ("rows", "cols"), "normal(0, 1)")
OUT = TaskArgument("y", "out", "float32", ("rows",))
ALPHA = TaskArgument("alpha", "scalar", "float32", (), "constant(0.1)")
BETA = TaskArgument("beta", "scalar", "int32", (), "integers(1, 1000)")


def test_inputs_have_the_arguments_shapes_and_outputs_and_scalars_are_not_among_them() -> None:
    task = a_task(X, Z, OUT, ALPHA)
    inputs = inputs_for(task, task.tests[0], 5)
    assert {name: (value.shape, value.dtype.name) for name, value in inputs.items()} == {
        "x": ((4, 10), "float32"),
        "z": ((4, 10), "float16"),
    }


def test_inputs_follow_from_the_seed_and_every_argument_has_its_own_stream() -> None:
    other = TaskArgument("w", "in", "float32", ("rows", "cols"), "normal(0, 1)")
    task = a_task(X, other, OUT)
    case = task.tests[0]
    inputs = inputs_for(task, case, 5)
    np.testing.assert_array_equal(inputs["x"], inputs_for(task, case, 5)["x"])
    np.testing.assert_array_equal(inputs["x"], inputs_for(a_task(X, OUT), case, 5)["x"])
    assert not np.array_equal(inputs["x"], inputs_for(task, case, 6)["x"])
    assert not np.array_equal(inputs["x"], inputs["w"])
    assert inputs_for(task, case, 2**200)["x"].shape == (4, 10)


def test_a_case_may_replace_a_generator() -> None:
    case = Case({"rows": 4, "cols": 10}, {"x": "constant(3)"})
    assert (inputs_for(a_task(X, OUT), case, 0)["x"] == 3).all()


def test_samples_are_flat_and_no_longer_than_the_limit() -> None:
    task = a_task(X, Z, OUT)
    big = Case({"rows": 4096, "cols": 1000})
    samples = samples_for(task, big, 0, 4500)
    assert {name: value.shape for name, value in samples.items()} == {"x": (4000,), "z": (4000,)}
    assert samples_for(task, big, 0, 64)["x"].shape == (64,)
    assert samples_for(task, task.tests[0], 0, 4500)["x"].shape == (40,)


def test_scalars_are_rounded_into_their_dtype_and_constants_are_known_without_a_case() -> None:
    task = a_task(X, OUT, ALPHA, BETA)
    scalars = scalars_for(task, task.tests[0], 3)
    assert scalars["alpha"] == float(np.float32(0.1)) == constant_scalar(ALPHA)
    assert isinstance(scalars["beta"], int)
    assert constant_scalar(BETA) is None


def test_an_input_without_data_is_a_task_error() -> None:
    task = a_task(TaskArgument("x", "in", "float32", ("rows",)), OUT)
    with pytest.raises(TaskError, match="x: expected a generator call"):
        inputs_for(task, task.tests[0], 0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_a_constant_may_be_infinite_or_not_a_number(dtype: str) -> None:
    random = np.random.default_rng(0)
    for text in ("inf", "-inf", "nan"):
        values = generate(f"constant({text})", (5,), dtype, random).astype(np.float64)
        np.testing.assert_array_equal(values, float(text))


@pytest.mark.parametrize("shape", [(100_000,), (64, 300), (1, 1), (3, 5, 2)])
def test_spikes_stand_at_either_end_of_the_first_and_the_last_row(shape: tuple[int, ...]) -> None:
    rows = generate("spikes(5, 2)", shape, "float32", np.random.default_rng(3)).reshape(-1, shape[-1])
    far = np.abs(rows - 5) > 2 * 1990
    for row in (far[0], far[-1]):
        assert row[0]
        assert row[-1]
    assert far.mean() < 0.01 or rows.size < 100
    assert np.abs(rows).max() <= 2 * 8000 + 5


@pytest.mark.parametrize("call", ["extremes(-5, 5)", "extremes(7, 7)", "extremes(0, 1)", "extremes(0, 255)"])
def test_extremes_stay_in_their_range_and_reach_both_ends(call: str) -> None:
    low, high = map(int, call[9:-1].split(","))
    values = generate(call, (500,), "int16", np.random.default_rng(3))
    assert values.min() == low
    assert values.max() == high
    assert np.minimum(values - low, high - values).max() <= 2
