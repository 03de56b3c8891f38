"""What the agent, the command line and the MCP server can do to one kernel: orders, and who carries them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Generic, Literal, Protocol, Self, TypeVar, cast

from tools.judge.sizes import COUNT
from tools.reports import CheckReport, CompileReport, ProfileReport, TestReport
from tools.tasks.task import Task

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Order(Generic[T, R]):
    """What is to be done to one kernel; `R` is the report that comes of it.

    Attributes:
        task: What must be computed: a `Task`, or its name where the order has yet to reach whoever knows the task.
        kernel: The text of a kernel file.
    """

    task: T
    kernel: str

    def on(self, task: Task) -> Order[Task, R]:
        """Return the same order for the task that its name stands for."""
        return replace(cast("Order[Task, R]", self), task=task)


@dataclass(frozen=True)
class CompileOrder(Order[T, CompileReport]):
    """Parse, check against the task and compile, for the first test case.

    Attributes:
        tune: Overrides the defaults of the kernel's tunables.
    """

    tune: Mapping[str, int] | None = None
    kind: Literal["compile"] = "compile"


@dataclass(frozen=True)
class TestOrder(Order[T, TestReport]):
    """Judge results over every test case and several seeds.

    Attributes:
        tune: Overrides the defaults of the kernel's tunables.
        seed: Replays one judgement.
    """

    __test__ = False  # not a pytest class

    tune: Mapping[str, int] | None = None
    seed: int | None = None
    kind: Literal["test"] = "test"


@dataclass(frozen=True)
class ProfileOrder(Order[T, ProfileReport]):
    """Time and count at the benchmark shapes, beside the baseline; says nothing of correctness.

    Attributes:
        tune: Overrides the defaults of the kernel's tunables.
        full: Ask a GPU for every counter that Nsight Compute has; a simulator always tells all it counts.
    """

    tune: Mapping[str, int] | None = None
    full: bool = False
    kind: Literal["profile"] = "profile"


@dataclass(frozen=True)
class CheckOrder(Order[T, CheckReport]):
    """Run every stage, each gating the next.

    Attributes:
        sweep: Try the tunables' values and keep the best correct ones.
        profile: Count and time as well.
        benches: Judge the results at the benchmark shapes too, once profiled.
        thorough: Look for hazards with the device's own tools as well (compute-sanitizer on a GPU; a simulator
            always looks, and has nothing to add).
        prove: Ask a static verifier whether the kernel is free of races in every schedule; no verdict comes of it.
        fresh_sizes: How many sizes beside the task's own cases to judge.
        seed: Replays one judgement.
    """

    sweep: bool = False
    profile: bool = True
    benches: bool = True
    thorough: bool = False
    prove: bool = False
    fresh_sizes: int = COUNT
    seed: int | None = None
    kind: Literal["check"] = "check"


AnyOrder = CompileOrder[T] | TestOrder[T] | ProfileOrder[T] | CheckOrder[T]


class Toolbox(Protocol):
    """Compiles, tests and profiles kernel files on one device; leaving it stops its workers."""

    @property
    def device(self) -> str:
        """Name of the device in use."""
        ...

    @property
    def isolation(self) -> str:
        """Name of the isolation in use."""
        ...

    async def do(self, order: Order[Task, R]) -> R:
        """Carry an order out and return its report; cancelling kills the worker that serves it.

        A failing kernel is a report, never an exception.

        Raises:
            UsageError: The task cannot be frozen, or its reference fails.
            WorkerError: The environment failed twice.
        """
        ...

    async def aclose(self) -> None:
        """Stop every worker."""
        ...

    async def __aenter__(self) -> Self:
        """Enter; leaving closes."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.aclose()
