"""What the agent, the command line and the MCP server can do to one kernel, behind one interface."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from tools.reports import CheckReport, CompileReport, ProfileReport, TestReport
from tools.tasks.task import Task


class Toolbox(Protocol):
    """Compile, test and profile kernel files for a task on one device.

    `kernel` is always the text of a kernel file; `tune` overrides the defaults of its tunables.
    A failing kernel is a report, never an exception. Raises WorkerError where the environment failed twice.
    Cancelling a call kills the worker that serves it.
    """

    @property
    def device(self) -> str:
        """Name of the device in use."""
        ...

    @property
    def isolation(self) -> str:
        """Name of the isolation in use."""
        ...

    async def compile(self, task: Task, kernel: str, tune: Mapping[str, int] | None = None) -> CompileReport:
        """Parse, check against the task and compile, for the first test case."""
        ...

    async def test(
        self, task: Task, kernel: str, tune: Mapping[str, int] | None = None, *, seed: int | None = None
    ) -> TestReport:
        """Judge results over every test case and several seeds; `seed` replays one judgement."""
        ...

    async def profile(
        self, task: Task, kernel: str, tune: Mapping[str, int] | None = None, *, full: bool = False
    ) -> ProfileReport:
        """Time and count at the benchmark shapes, beside the baseline; says nothing of correctness.

        `full` asks a GPU for every counter that Nsight Compute has; a simulator always tells all it counts.
        """
        ...

    async def check(
        self,
        task: Task,
        kernel: str,
        *,
        sweep: bool = False,
        profile: bool = True,
        benches: bool = True,
        thorough: bool = False,
        seed: int | None = None,
    ) -> CheckReport:
        """Run every stage, each gating the next.

        Args:
            task: What must be computed.
            kernel: Text of a kernel file.
            sweep: Try the tunables' values and keep the best correct ones.
            profile: Count and time as well.
            benches: Judge the results at the benchmark shapes too, once profiled.
            thorough: Look for hazards with the device's own tools as well (compute-sanitizer on a GPU; a simulator
                always looks, and has nothing to add).
            seed: Replays one judgement.
        """
        ...

    async def aclose(self) -> None:
        """Stop every worker."""
        ...

    async def __aenter__(self) -> Self:
        """Enter; leaving closes."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        ...
