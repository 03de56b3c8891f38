"""What the judge asks a kernel, and who knows the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sandbox.errors import UsageError
from tools.judge.comparison import Expectation
from tools.judge.error_bound import Array
from tools.tasks.task import Case


@dataclass(frozen=True)
class Question:
    """One input and its answer.

    Attributes:
        inputs: In and inout buffers by name, in their dtype, shaped.
        expected: One expectation for every out and inout buffer.
        scalars: The values of the task's scalar arguments by name.
        many_answers: Whether the task judges each run by its own `compare` function, not by the error bound.
        untraced: Why the scale of some output's error bound is an estimate; empty where none is.
    """

    inputs: Mapping[str, Array]
    expected: tuple[Expectation, ...]
    scalars: Mapping[str, int | float] = field(default_factory=dict[str, "int | float"])
    many_answers: bool = False
    untraced: str = ""


@dataclass(frozen=True)
class Posed:
    """One input, before anybody has looked for its answer.

    Attributes:
        inputs: See `Question`.
        scalars: See `Question`.
        answer: Returns the whole question; raises UsageError where the reference fails.
    """

    inputs: Mapping[str, Array]
    scalars: Mapping[str, int | float]
    answer: Callable[[], Awaitable[Question]]


class Oracle(Protocol):
    """Poses questions of one task and answers them, where no candidate can reach."""

    async def question(self, case: Case, seed: int) -> Question:
        """Return the input that the seed stands for, with its answer; the same for the same seed."""
        ...

    async def pose(self, case: Case, seed: int) -> Posed:
        """Return that input alone: a large one is run while the reference is asked."""
        ...

    async def objection(self, case: Case, question: Question, outputs: Mapping[str, Array]) -> str | None:
        """Ask the task's own `compare` function; return its reason to refuse, or None.

        Args:
            case: The case that `question` belongs to.
            question: What was asked.
            outputs: What came back, shaped, in the outputs' dtypes.
        """
        ...

    async def in_float32(self, case: Case, seed: int) -> Mapping[str, Array]:
        """Return what the task's reference makes of that input where it computes in float32.

        Raises:
            UsageError: The reference fails.
        """
        ...


async def has_answer(oracle: Oracle, case: Case, seed: int) -> bool:
    """Whether the reference computes an input of a case, and does not raise."""
    try:
        await oracle.question(case, seed)
    except UsageError:
        return False
    return True


@dataclass(frozen=True)
class Samples:
    """What a benchmark case's buffers are filled with, again and again, and its scalars.

    Attributes:
        buffers: For every in and inout buffer a flat array, in its dtype, of at most the buffer's size.
        scalars: The values of the task's scalar arguments by name.
    """

    buffers: Mapping[str, Array]
    scalars: Mapping[str, int | float]
