"""Families of values that every task is tried with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.judge.stress import EXTREMES, FAMILIES, SPIKES, stress_case, stress_data
from tools.tasks.generators import inputs_for
from tools.tasks.task import Case, Task, TaskArgument


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != EXTREMES])
def test_every_family_fills_a_float32_input(doubling: Task, family: str) -> None:
    case = stress_case(doubling, family)
    assert case is not None
    assert case.dims == {"n": 300}
    assert inputs_for(doubling, case, 1)["x"].shape == (300,)


def test_the_largest_cheap_case_is_taken(doubling: Task) -> None:
    sized = replace(doubling, tests=(Case({"n": 7}), Case({"n": 5000}), Case({"n": 1 << 24})))
    case = stress_case(sized, "large()")
    assert case is not None
    assert case.dims == {"n": 5000}


@pytest.mark.parametrize("data", ["uniform(0, 1)", "integers(0, 9)", "permutation()", "constant(2)"])
def test_inputs_that_must_lie_in_a_range_or_have_a_structure_are_left_alone(
    doubling: Task, data: str
) -> None:
    bounded = replace(doubling.arguments[0], data=data)
    task = replace(doubling, arguments=(bounded, *doubling.arguments[1:]))
    assert stress_case(task, "large()") is None


def test_only_free_inputs_are_replaced(doubling: Task) -> None:
    index = TaskArgument("index", "in", "int32", ("n",), "integers(0, 4)")
    case = stress_case(replace(doubling, arguments=(index, *doubling.arguments)), "tiny()")
    assert case is not None
    assert case.data == {"x": "tiny()"}


def test_an_offset_that_half_precision_cannot_resolve_is_not_asked_of_it(doubling: Task) -> None:
    half = replace(doubling.arguments[0], dtype="float16")
    task = replace(doubling, arguments=(half, *doubling.arguments[1:]))
    assert stress_case(task, "normal(10000, 0.01)") is None
    assert stress_case(task, "denormal()") is not None


def test_whole_numbers_are_tried_at_either_end_of_their_range_and_with_nothing_else(doubling: Task) -> None:
    index = replace(doubling.arguments[0], dtype="int32", data="integers(0, 2147483647)")
    task = replace(doubling, arguments=(index, *doubling.arguments[1:]))
    assert [family for family in FAMILIES if stress_case(task, family)] == [EXTREMES]
    case = stress_case(task, EXTREMES)
    assert case is not None
    values = set(inputs_for(task, case, 1)["x"].tolist())
    assert values == {0, 1, 2, 2**31 - 1, 2**31 - 2, 2**31 - 3}


@pytest.mark.parametrize(
    ("data", "spiked"), [("normal(2, 3)", "spikes(2, 3)"), ("uniform(-4, 8)", "spikes(2.0, 3.0)")]
)
def test_huge_elements_are_put_into_one_input_among_its_own_values(
    doubling: Task, data: str, spiked: str
) -> None:
    x = replace(doubling.arguments[0], data=data)
    task = replace(doubling, arguments=(x, replace(x, name="z"), *doubling.arguments[1:]))
    assert stress_data(task, SPIKES, 4) == {"x": spiked}
    assert stress_data(task, SPIKES, 7) == {"z": spiked}
