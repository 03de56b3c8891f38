"""Answers of reference and module: the same within rounding, and worth computing."""

from __future__ import annotations

import numpy as np
import pytest

from agent.importing.comparing import all_finite, difference, trivial
from tools.judge.comparison import Expectation
from tools.judge.questions import Question
from tools.tasks.task import Case, TaskArgument, WholeTask

TASK = WholeTask(
    name="t", summary="t", dims=("n",), arguments=(TaskArgument("y", "out", "float32", ("n",)),),
    tests=(Case({"n": 4}),), benches=(Case({"n": 4}),), flops="n", bytes="n", reference="", baseline="",
)  # fmt: skip


def answered(*values: np.ndarray) -> list[tuple[Question, tuple[np.ndarray, ...]]]:
    ones = np.ones(4)
    return [(Question({}, (Expectation("y", "float32", one, ones),)), (one,)) for one in values]


@pytest.mark.parametrize(
    ("expected", "got", "said"),
    [
        (np.array([1.0, np.nan]), np.array([1.0 + 1e-12, np.nan]), ""),
        (np.array([1.0, 2.0]), np.array([1.0, 2.001]), "1 of 2 elements, at [1] 2 and 2.001"),
        (np.array([1.0]), np.array([np.nan]), "1 of 1 elements, at [0] 1 and nan"),
        (np.array([1, 2]), np.array([1, 3]), "1 of 2 elements, at [1] 2 and 3"),
        (np.zeros((2, 3)), np.zeros((4, 2)), "shapes [2, 3] and [4, 2]"),
    ],
)
def test_a_difference_is_told_with_its_place(expected: np.ndarray, got: np.ndarray, said: str) -> None:
    assert difference(expected, got, None) == said


def test_what_cancels_is_judged_by_the_terms_behind_it() -> None:
    assert difference(np.array([1e-17]), np.array([3e-17]), np.array([1.0])) == ""
    assert difference(np.array([1e-17]), np.array([3e-17]), None) != ""


def test_outputs_that_nobody_need_compute_are_declared_trivial() -> None:
    constant, said = trivial(TASK, answered(np.zeros(4), np.zeros(4)))
    assert (constant.arguments[0].trivial, said[0][:26]) == (True, "y is 0 whatever the inputs")
    cancelled, said = trivial(TASK, answered(np.full(4, 1e-17), np.full(4, -1e-16)))
    assert (cancelled.arguments[0].trivial, said[0][:9]) == (True, "y cancels")
    kept, said = trivial(TASK, answered(np.full(4, 1e-3), np.full(4, -1e-3)))
    assert (kept, said[0][:13]) == (TASK, "y stays below")
    assert trivial(TASK, answered(np.ones(4), np.full(4, 2.0))) == (TASK, [])


def test_infinities_are_seen() -> None:
    assert all_finite(answered(np.ones(4)))
    assert not all_finite(answered(np.ones(4), np.array([np.inf])))
