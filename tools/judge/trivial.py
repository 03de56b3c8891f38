"""Refuses a task that a kernel could pass without computing anything."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np

from sandbox.dtypes import numpy_dtype
from sandbox.errors import UsageError
from sandbox.poison import poison_bytes
from tools.judge.comparison import Expectation, compare
from tools.judge.error_bound import Array
from tools.judge.questions import Oracle, Question
from tools.tasks.task import Case, Task

Values = Mapping[str, Array]
"""By output name one element, in the output's dtype: what a lazy kernel writes everywhere."""


async def refuse_trivial(
    task: Task, oracle: Oracle, cases: Sequence[Case], constants: Mapping[str, float], seeds: range
) -> None:
    """Raise where some output may hold zeros, one constant, or what lay in memory before, in every case.

    Where the task declares an output trivial, zeros and constants are right; it must still be written.

    Args:
        task: Named in the error.
        oracle: Knows the answers.
        cases: What a candidate is judged on.
        constants: Of the error bound, by output.
        seeds: Of the inputs.

    Raises:
        UsageError: It names the output and what passes in its place.
    """
    questions = [(case, await oracle.question(case, seed)) for case in cases for seed in seeds]
    first = questions[0][1]
    declared = {argument.name for argument in task.arguments if argument.trivial}
    for answer in first.expected:
        constant = await asyncio.to_thread(_typical, answer)
        kinds: dict[str, Array | None] = {
            "zeros": np.zeros_like(constant),
            f"the constant {constant.item()!s}": constant,
            "poison": None,
        }
        if answer.name in declared:
            kinds = {"poison": None}
        for kind, element in kinds.items():
            if not await _ever_wrong(oracle, questions, answer.name, element, constants):
                raise UsageError(
                    f"task {task.name}: a kernel that leaves {kind} in {answer.name} passes every test; choose "
                    "data and sizes with other results, or declare the output `trivial = true` with a `reason`"
                )


def _typical(answer: Expectation) -> Array:
    values = answer.values.reshape(-1)
    with np.errstate(invalid="ignore", over="ignore"):
        middle = np.median(values) if "float" in answer.dtype else np.sort(values)[values.size // 2]
        return np.asarray(middle).astype(numpy_dtype(answer.dtype))


async def _ever_wrong(
    oracle: Oracle,
    questions: Sequence[tuple[Case, Question]],
    output: str,
    element: Array | None,
    constants: Mapping[str, float],
) -> bool:
    for case, question in questions:
        lazy = {
            answer.name: await asyncio.to_thread(_lazy, answer, element)
            for answer in question.expected
            if answer.name == output
        }
        if question.many_answers:
            right = {
                answer.name: answer.values.astype(numpy_dtype(answer.dtype)) for answer in question.expected
            }
            if await oracle.objection(case, question, right | lazy) is not None:
                return True
            continue
        for answer in question.expected:
            if answer.name == output:
                constant = constants.get(output, 0.0)
                if (await asyncio.to_thread(compare, lazy[output], answer, constant=constant)).wrong:
                    return True
    return False


def _lazy(answer: Expectation, element: Array | None) -> Array:
    dtype = numpy_dtype(answer.dtype)
    if element is not None:
        return np.full(answer.values.shape, element, dtype)
    return (
        poison_bytes(1, answer.name, answer.values.size * dtype.itemsize)
        .view(dtype)
        .reshape(answer.values.shape)
    )
