"""The oracle asks the reference once an input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from sandbox.worker.messages import Expected
from tools.judge.oracle import TaskOracle
from tools.tasks.task import Case, Task

Array = np.ndarray[Any, Any]


class Doubler:
    """Answers as the reference of `doubling` does, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.seen: set[tuple[object, ...]] = set()

    async def expected(
        self,
        text: str,
        inputs: Mapping[str, Array],
        dims: Mapping[str, int],
        dtypes: Mapping[str, str],
        *,
        accumulate: str | None = None,
        seed: int = 0,
    ) -> Expected:
        self.asked += 1
        self.seen.add((text, inputs["x"].tobytes(), tuple(dims.items()), tuple(dtypes.items()), seed))
        values = 2 * inputs["x"].astype(np.float64)
        return Expected({"y": values}, {"y": np.abs(values)}, False, {"y": "traced"})

    async def compare(self, *arguments: Any) -> str | None:
        raise AssertionError


@pytest.fixture
def doubler() -> Doubler:
    return Doubler()


async def test_a_question_asked_again_is_not_computed_again(doubling: Task, doubler: Doubler) -> None:
    oracle = TaskOracle(doubling, doubler)
    first = await oracle.question(doubling.tests[0], 5)
    again = await oracle.question(doubling.tests[0], 5)
    assert doubler.asked == 1
    assert np.array_equal(first.expected[0].values, again.expected[0].values)


async def test_the_same_input_is_asked_about_in_the_same_words_whatever_seed_led_to_it(
    doubling: Task, doubler: Doubler
) -> None:
    # What answers remembers by them, so the reference runs once.
    oracle = TaskOracle(doubling, doubler)
    for seed in range(4):
        await oracle.question(Case({"n": 9}, {"x": "constant(1)"}), seed)
    assert len(doubler.seen) == 1


async def test_other_inputs_have_answers_of_their_own(doubling: Task, doubler: Doubler) -> None:
    oracle = TaskOracle(doubling, doubler)
    one, other = [(await oracle.question(doubling.tests[0], seed)).expected[0].values for seed in (1, 2)]
    assert doubler.asked == 2
    assert not np.array_equal(one, other)
