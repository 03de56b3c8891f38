"""A task: what must be computed. One set of classes for task.toml, MCP, what models draft, and the tools.

They are plain dataclasses, for a machine with NumPy alone judges kernels too. Where JSON comes in or goes out,
pydantic reads their fields; for task.toml `tools.tasks.table` does. What both read in a field's metadata:

- `description`, and `min_length`, `max_length`, `gt`, `le`, `pattern`: as in pydantic.
- `toml`: its key in task.toml where that is another; `cost.flops` is the key `flops` of the table `[cost]`.
- `joined`: task.toml holds this list as one text with commas.
- `items`: what messages call the values of this table or list.
- `table_of`: the field before it that lists its keys: task.toml holds both as one table, or that list alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from sandbox.dtypes import DTYPE_BYTES
from tools import expressions
from tools.tasks.errors import TaskError
from tools.tasks.value_families import FAMILIES

__all__ = [
    "CapturedCase",
    "Case",
    "DimLimits",
    "Target",
    "Task",
    "TaskArgument",
    "TaskError",
    "TaskSpec",
    "WholeTask",
    "argument_size",
    "case_elements",
]

_TEXT = 128 * 1024


def _says(description: str, **more: object) -> dict[str, Any]:
    return {"description": description, **more}


@dataclass(frozen=True)
class TaskArgument:
    """One argument of a task, which launches name."""

    name: str = field(metadata=_says("Lower case; launches of a kernel file name it.", max_length=64))
    role: Literal["in", "out", "inout", "scalar"] = field(
        metadata=_says("in, out and inout are buffers, passed as pointers.")
    )
    dtype: str = field(metadata=_says(f"One of {', '.join(DTYPE_BYTES)}."))
    shape: tuple[str, ...] = field(
        default=(),
        metadata=_says(
            'One expression in the dims a dimension, as ["rows", "cols"]; empty for a scalar.',
            max_length=8,
            joined=True,
        ),
    )
    data: str | None = field(
        default=None,
        metadata=_says(
            "What fills it in tests, unless a case says otherwise, as `normal(0, 1)`; none for out. "
            f"One of {', '.join(FAMILIES)}."
        ),
    )
    trivial: bool = field(
        default=False,
        metadata=_says(
            "An output that is rightly zero or one constant in every case: nobody need compute it to pass."
        ),
    )
    reason: str = field(default="", metadata=_says("Why an output is trivial.", max_length=500))

    @property
    def is_scalar(self) -> bool:
        """Whether it is passed by value; all others are buffers."""
        return self.role == "scalar"

    @property
    def is_input(self) -> bool:
        """Whether it is a buffer that holds data before a run."""
        return self.role in ("in", "inout")

    @property
    def is_output(self) -> bool:
        """Whether it is a buffer that holds an answer after a run."""
        return self.role in ("out", "inout")


@dataclass(frozen=True)
class Case:
    """Sizes of one case, and data that replace the arguments' own in it."""

    dims: dict[str, int] = field(metadata={"max_length": 16, "items": "a size of at least 1"})
    data: dict[str, str] = field(
        default_factory=dict[str, str], metadata={"max_length": 32, "items": "a generator call"}
    )


@dataclass(frozen=True)
class CapturedCase(Case):
    """A case whose data were captured: a file of the task's folder holds them; `data` draws what it does not hold."""

    file: str = field(
        kw_only=True,
        metadata=_says(
            "A .npz file beside task.toml, as numpy.savez writes it: arrays by the arguments' names.",
            max_length=64,
        ),
    )
    sha256: str = field(
        default="",
        kw_only=True,
        metadata=_says("Of that file, in hexadecimal: other data are another task.", max_length=64),
    )


_SIZE = {"ge": 1, "le": 2**31 - 1}


@dataclass(frozen=True)
class DimLimits:
    """Which sizes of one dim a task is about; what is null follows from its cases."""

    min: int | None = field(default=None, metadata=_says("The least.", **_SIZE))
    max: int | None = field(default=None, metadata=_says("The largest.", **_SIZE))
    multiple_of: int | None = field(
        default=None, metadata=_says("Every size is a multiple of it; 1 allows them all.", **_SIZE)
    )


@dataclass(frozen=True)
class Target:
    """When a search may stop early; what is null is not asked for."""

    latency_us: float | None = field(default=None, metadata={"gt": 0})
    speedup: float | None = field(default=None, metadata=_says("Over the baseline.", gt=0))
    roofline: float | None = field(
        default=None, metadata=_says("Least possible time over time taken.", gt=0, le=1)
    )


@dataclass(frozen=True)
class TaskSpec:
    """What task.toml says."""

    name: str
    summary: str = field(metadata=_says("One sentence: what is computed."))
    dims: tuple[str, ...] = field(
        metadata=_says(
            'Names of the sizes, as ["rows", "cols"].',
            min_length=1,
            max_length=16,
            items='names, for example ["rows", "cols"]',
        )
    )
    arguments: tuple[TaskArgument, ...] = field(
        metadata=_says("In the order of calls.", min_length=1, max_length=32, toml="args")
    )
    tests: tuple[Case, ...] = field(
        metadata=_says(
            "Every one must pass, with random inputs. Small and awkward: one, primes, one more than a multiple of"
            " a block.",
            min_length=1,
            max_length=64,
            toml="test",
        )
    )
    benches: tuple[Case, ...] = field(
        metadata=_says(
            "The sizes that latency is about; seldom more than one.",
            min_length=1,
            max_length=16,
            toml="bench",
        )
    )
    flops: str = field(
        metadata=_says("Least floating point operations, an expression in the dims.", toml="cost.flops")
    )
    bytes: str = field(metadata=_says("Least bytes moved, an expression in the dims.", toml="cost.bytes"))
    deterministic: bool = field(default=True, metadata=_says("Whether two runs must agree bit for bit."))
    target: Target = field(default_factory=Target)
    limits: dict[str, DimLimits] = field(
        default_factory=dict[str, DimLimits],
        metadata=_says(
            "Which sizes of a dim kernels must be right at, by its name: every judgement draws fresh ones. What is"
            " not said follows from the cases: least and largest size, a common divisor, powers of two.",
            toml="dims",
            table_of="dims",
        ),
    )
    accumulate: Literal["float32", "float16", "bfloat16"] = field(
        default="float32",
        metadata=_says(
            "What sums and products behind half precision outputs may be accumulated in; a narrower accumulator is"
            " lost precision."
        ),
    )
    finals: tuple[Case, ...] = field(
        default=(),
        metadata=_says(
            "Sizes that no search sees: its winner is judged and timed at them once, so that a gain is shown to hold"
            " beyond the sizes it was made for.",
            max_length=16,
            toml="final",
        ),
    )
    captured: tuple[CapturedCase, ...] = field(
        default=(),
        metadata=_says(
            "Data that were captured, of fixed sizes: every kernel is judged on them beside the tests, and nothing is"
            " timed on them.",
            max_length=8,
            toml="captured",
        ),
    )

    @property
    def judged_cases(self) -> tuple[Case, ...]:
        """What every kernel is run on in full: the tests, then what was captured."""
        return (*self.tests, *self.captured)


@dataclass(frozen=True, kw_only=True)
class WholeTask(TaskSpec):
    """Everything that a task folder says: task.toml, reference.py and baseline.cu."""

    reference: str = field(
        metadata=_says(
            "reference.py: `def reference(inputs and dims by name)` that returns a dict from each output's name to"
            " its values, in NumPy. It gets float64; it says what is right. `from special import erf` offers erf,"
            " erfc, gamma, lgamma, ndtr, expit, logsumexp, softmax. A result may err by some eps * S; S, the sum of"
            " the absolute terms behind each element, follows from the reference, and `def magnitude(...)`, called"
            " and answered alike, overrides it where it does not (eigenvalues, loops over elements).",
            max_length=_TEXT,
        )
    )
    baseline: str = field(
        metadata=_says(
            "baseline.cu: a plain correct kernel file, to start from; get_task says how one is written.",
            max_length=_TEXT,
        )
    )
    captured_files: dict[str, str] = field(
        default_factory=dict[str, str],
        repr=False,
        metadata=_says("The files of captured cases by name, in base64.", max_length=8),
    )


@dataclass(frozen=True, kw_only=True)
class Task(WholeTask):
    """A task that was read from its folder and checked; what every stage takes.

    Attributes:
        folder: Where it lies.
        sha: sha256 over the folder's three files, of which task.toml has the hashes of all others; stored with every
            run.
    """

    folder: Path
    sha: str

    @property
    def at_finals(self) -> Task:
        """This task, timed at its final sizes: another task to whoever keeps things by its sha."""
        sha = hashlib.sha256(f"{self.sha} final".encode()).hexdigest()
        return replace(self, benches=self.finals, finals=(), sha=sha)


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


def case_elements(task: Task, case: Case) -> int:
    """Return how many elements all arguments of a case have together."""
    return sum(math.prod(argument_size(argument, case.dims)) for argument in task.arguments)
