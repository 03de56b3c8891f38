"""The oracle of a task: its generators pose the questions, its reference answers them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from sandbox.apart import apart
from sandbox.dtypes import numpy_dtype
from sandbox.errors import UsageError
from sandbox.worker.messages import Expected
from tools.awaiting import Memo, once_more
from tools.judge.comparison import Expectation
from tools.judge.error_bound import Array
from tools.judge.questions import Posed, Question, Samples
from tools.tasks import generators
from tools.tasks.task import Case, Task, argument_size, case_elements

REMEMBERED_BYTES = 64 << 20
"""Of questions and their answers, over all tasks of a toolbox; what is larger alone is not kept."""
SAMPLE_ELEMENTS = 1 << 16
"""Elements of a benchmark buffer that are generated at most; the device repeats them."""

_SHORTER = 4096
_WIDEST = 8
"""Bytes of the widest element."""


class Answers(Protocol):
    """The part of `sandbox.reference.service.References` that is needed here."""

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
        """Compute the outputs and the scale of their error bound."""
        ...

    async def in_float32(
        self,
        text: str,
        inputs: Mapping[str, Array],
        dims: Mapping[str, int],
        dtypes: Mapping[str, str],
    ) -> Expected:
        """Compute the outputs in float32."""
        ...

    async def compare(
        self, text: str, inputs: Mapping[str, Array], outputs: Mapping[str, Array], expected: Expected
    ) -> str | None:
        """Ask the reference's own `compare`."""
        ...


Asked = Memo[tuple[str, str, int], tuple[dict[str, Array], Expected]]
"""Inputs and answers by the task's sha, the case and the seed."""


def remembered() -> Asked:
    """Return a memory for the questions of any number of tasks, bounded by their bytes."""
    return Asked(REMEMBERED_BYTES, size=lambda found: _bytes(*found))


def _bytes(buffers: Mapping[str, Array], expected: Expected) -> int:
    arrays = (*buffers.values(), *expected.outputs.values(), *expected.magnitude.values())
    return sum(array.nbytes for array in arrays)


class TaskOracle:
    """Implements `tools.judge.questions.Oracle` for one task; questions are remembered for a short while.

    `answers` remembers its answers by a hash of their inputs: the reference runs once an input.
    """

    def __init__(self, task: Task, answers: Answers, asked: Asked | None = None) -> None:
        """Know a task; `asked` is shared by those of one toolbox."""
        self._task = task
        self._answers = answers
        outputs = [argument for argument in task.arguments if argument.is_output]
        self._outputs = {argument.name: argument for argument in outputs}
        self._dtypes = {argument.name: argument.dtype for argument in outputs}
        self._asked = remembered() if asked is None else asked

    async def question(self, case: Case, seed: int) -> Question:
        """Return the input that the seed stands for, with its answer.

        Raises:
            UsageError: The task's reference fails, or returns an output of another size than the task says.
        """
        key = (self._task.sha, repr(case), seed)
        buffers, expected = await self._asked.get(key, lambda: self._answer(case, seed))
        return self._question(case, seed, buffers, expected)

    async def pose(self, case: Case, seed: int) -> Posed:
        """Return that input, with its answer to be asked for; see `Oracle`."""
        buffers, inputs = await self._inputs(case, seed)

        async def answer() -> Question:
            expected = await self._expected(case, inputs)
            self._asked.put((self._task.sha, repr(case), seed), (buffers, expected))
            return self._question(case, seed, buffers, expected)

        return Posed(buffers, generators.scalars_for(self._task, case, seed), answer)

    async def objection(self, case: Case, question: Question, outputs: Mapping[str, Array]) -> str | None:
        """Ask the task's own `compare` function; see `Oracle`."""
        expected = Expected({answer.name: answer.values for answer in question.expected}, {}, True, {})
        inputs = {**question.inputs, **self._arrays(question.scalars)}
        return await once_more(lambda: self._answers.compare(self._task.reference, inputs, outputs, expected))

    async def in_float32(self, case: Case, seed: int) -> Mapping[str, Array]:
        """Answer the same question in float32; see `Oracle`."""
        _, inputs = await self._inputs(case, seed)
        task = self._task
        found = await once_more(
            lambda: self._answers.in_float32(task.reference, inputs, case.dims, self._dtypes)
        )
        return found.outputs

    async def _inputs(self, case: Case, seed: int) -> tuple[dict[str, Array], dict[str, Array]]:
        """The buffers that a seed stands for, and beside them the scalars, as the reference takes them."""
        size = _WIDEST * case_elements(self._task, case)
        buffers = await apart(size, generators.inputs_for, self._task, case, seed)
        return buffers, {**buffers, **self._arrays(generators.scalars_for(self._task, case, seed))}

    async def _answer(self, case: Case, seed: int) -> tuple[dict[str, Array], Expected]:
        buffers, inputs = await self._inputs(case, seed)
        return buffers, await self._expected(case, inputs)

    async def _expected(self, case: Case, inputs: Mapping[str, Array]) -> Expected:
        return await once_more(
            lambda: self._answers.expected(
                self._task.reference, inputs, case.dims, self._dtypes, accumulate=self._task.accumulate
            )
        )

    def _question(self, case: Case, seed: int, buffers: Mapping[str, Array], expected: Expected) -> Question:
        return Question(
            buffers,
            tuple(self._expectation(name, case, expected) for name in self._dtypes),
            generators.scalars_for(self._task, case, seed),
            expected.has_compare,
            expected.untraced,
        )

    def _arrays(self, scalars: Mapping[str, int | float]) -> dict[str, Array]:
        dtypes = {argument.name: argument.dtype for argument in self._task.arguments}
        return {name: np.asarray(value, numpy_dtype(dtypes[name])) for name, value in scalars.items()}

    def _expectation(self, name: str, case: Case, expected: Expected) -> Expectation:
        values = expected.outputs[name]
        shape = argument_size(self._outputs[name], case.dims)
        if values.size != math.prod(shape):
            msg = f"reference.py returned {name} of shape {values.shape}: expected {shape}"
            raise UsageError(f"task {self._task.name}: {msg}")
        magnitude = expected.magnitude.get(name)
        return Expectation(
            name,
            self._dtypes[name],
            values.reshape(shape),
            None if magnitude is None else magnitude.reshape(shape),
        )


def bench_samples(task: Task, case: Case, secret: int = 0) -> Samples:
    """Return what a benchmark case is filled with, the same for every candidate.

    Args:
        task: Whose inputs.
        case: At which sizes.
        secret: Changes the values, and after how many elements they repeat, so that no kernel can know that
            it is being timed and not judged.
    """
    seed = int(task.sha[:8], 16) ^ secret
    buffers = generators.samples_for(task, case, seed, SAMPLE_ELEMENTS - secret % _SHORTER)
    return Samples(buffers, generators.scalars_for(task, case, seed))
