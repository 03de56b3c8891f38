"""A task: what must be computed. Read from a folder with task.toml, reference.py and baseline.cu."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.errors import UsageError
from sandbox.plan import Role
from tools import expressions

DTYPE_BYTES = {
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "bool": 1,
}
"""Bytes of one element of every dtype that a task or a scratch buffer may have."""


class TaskError(UsageError):
    """A task cannot be found or used; the text names file, line and what was expected."""


class TaskNotFoundError(TaskError):
    """No task has such a name.

    Attributes:
        known: The names that there are, sorted.
    """

    def __init__(self, message: str, known: Sequence[str]) -> None:
        super().__init__(message)
        self.known = tuple(known)


@dataclass(frozen=True)
class TaskArgument:
    """One argument: a buffer (in, out, inout) or a scalar.

    Attributes:
        role: None for a scalar.
        shape: Expressions in dims, one a dimension; empty for a scalar.
        data: Generator call as written, for example `normal(0, 1)`; None for outputs.
    """

    name: str
    role: Role | None
    dtype: str
    shape: tuple[str, ...] = ()
    data: str | None = None


@dataclass(frozen=True)
class Case:
    """Sizes to test or to time, with generators that differ from the arguments' own in this case."""

    dims: dict[str, int]
    data: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Target:
    """When a search may stop early; unset parts do not count."""

    latency_us: float | None = None
    speedup: float | None = None
    roofline: float | None = None


@dataclass(frozen=True)
class Task:
    """What must be computed.

    Attributes:
        flops: Expression in dims, least floating point operations.
        bytes: Expression in dims, least bytes moved.
        sha: sha256 over the folder's three files; stored with every run.
        reference: Text of reference.py.
        baseline: Text of baseline.cu, a kernel file.
    """

    name: str
    summary: str
    dims: tuple[str, ...]
    arguments: tuple[TaskArgument, ...]
    tests: tuple[Case, ...]
    benches: tuple[Case, ...]
    flops: str
    bytes: str
    deterministic: bool
    target: Target
    folder: Path
    sha: str
    reference: str
    baseline: str


def argument_size(argument: TaskArgument, dims: Mapping[str, int]) -> tuple[int, ...]:
    """Return the shape of a buffer at these sizes; `()` for a scalar.

    Raises:
        TaskError: The shape has no value at these sizes, or a side of it is not at least 1.
    """
    try:
        shape = tuple(expressions.parse(side).evaluate(dims) for side in argument.shape)
    except expressions.ExpressionError as error:
        raise TaskError(f"shape of {argument.name}: {error}") from None
    if any(side < 1 for side in shape):
        raise TaskError(f"shape of {argument.name}: expected sides of at least 1, found {shape}")
    return shape
