"""Work on kernels as data: what the tools do at once, and what a job does later, is the same."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from tools.awaiting import together
from tools.mcp.answers import CompileAnswer, ProfileAnswer, TestAnswer
from tools.mcp.benchmarks import BenchmarkAnswer, CompareAnswer, describe_benchmark, describe_comparison
from tools.mcp.drafts import CreatedTask, NewTask, describe_kept
from tools.mcp.translation import (
    FULL_METRIC_LIMIT,
    METRIC_LIMIT,
    describe_compile,
    describe_profile,
    describe_test,
)
from tools.reports import CheckReport
from tools.tasks.catalogue import TaskShelf
from tools.tasks.drafting import keep
from tools.toolbox import Toolbox

Answer = CompileAnswer | TestAnswer | ProfileAnswer | BenchmarkAnswer | CompareAnswer | CreatedTask
"""What carrying out an order gives."""


class CompileOrder(BaseModel):
    """Compile a kernel file."""

    kind: Literal["compile"] = "compile"
    task: str
    kernel: str
    tune: dict[str, int] | None = None


class TestOrder(BaseModel):
    """Judge a kernel file's results."""

    __test__ = False  # not a pytest class

    kind: Literal["test"] = "test"
    task: str
    kernel: str
    tune: dict[str, int] | None = None
    seed: int | None = None


class ProfileOrder(BaseModel):
    """Time and count."""

    kind: Literal["profile"] = "profile"
    task: str
    kernel: str
    tune: dict[str, int] | None = None
    full: bool = False


class BenchmarkOrder(BaseModel):
    """Run every stage of the judgement."""

    kind: Literal["benchmark"] = "benchmark"
    task: str
    kernel: str
    sweep: bool = False
    seed: int | None = None


class CompareOrder(BaseModel):
    """Run every stage on several kernels."""

    kind: Literal["compare"] = "compare"
    task: str
    kernels: dict[str, str]
    sweep: bool = False


class CreateOrder(BaseModel):
    """Keep a new task."""

    kind: Literal["create_task"] = "create_task"
    draft: NewTask

    @property
    def task(self) -> str:
        """The task's name."""
        return self.draft.name


Order = Annotated[
    CompileOrder | TestOrder | ProfileOrder | BenchmarkOrder | CompareOrder | CreateOrder,
    Field(discriminator="kind"),
]


async def carry_out(order: Order, toolbox: Toolbox, shelf: TaskShelf) -> Answer:
    """Do what an order says, and return what its tool answers.

    Raises:
        UsageError: There is no such task, or it cannot be used.
        WorkerError: The environment failed twice.
    """
    if isinstance(order, CreateOrder):
        return describe_kept(await keep(order.draft, shelf, toolbox), toolbox.device)
    task = await asyncio.to_thread(shelf.find, order.task)
    match order:
        case CompileOrder():
            return describe_compile(task, await toolbox.compile(task, order.kernel, order.tune))
        case TestOrder():
            tested = await toolbox.test(task, order.kernel, order.tune, seed=order.seed)
            return describe_test(task, tested, device=toolbox.device, isolation=toolbox.isolation)
        case ProfileOrder():
            profiled = await toolbox.profile(task, order.kernel, order.tune, full=order.full)
            metrics = FULL_METRIC_LIMIT if order.full else METRIC_LIMIT
            return describe_profile(task, profiled, toolbox.device, metrics=metrics)
        case BenchmarkOrder():
            checked = await toolbox.check(task, order.kernel, sweep=order.sweep, seed=order.seed)
            return describe_benchmark(task, checked)
        case CompareOrder():
            labels, sweep = list(order.kernels), order.sweep

            async def check(kernel: str) -> CheckReport:
                return await toolbox.check(task, kernel, sweep=sweep)

            reports = await together(check(kernel) for kernel in order.kernels.values())
            return describe_comparison(task, list(zip(labels, reports, strict=True)))
