"""Orders that name their task: what the tools do at once, and what a job does later, is the same."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from tools import progress
from tools.awaiting import together
from tools.mcp.answers import CompileAnswer, ProfileAnswer, TestAnswer
from tools.mcp.benchmarks import BenchmarkAnswer, CompareAnswer, describe_benchmark, describe_comparison
from tools.mcp.drafts import CreatedTask, NewTask, describe_kept
from tools.mcp.profile_shelf import ProfileShelf
from tools.mcp.translation import describe_compile, describe_profile, describe_test
from tools.reports import CheckReport, ProfileReport
from tools.tasks.catalogue import TaskCatalogue
from tools.tasks.drafting import keep
from tools.tasks.task import Task
from tools.toolbox import AnyOrder, CheckOrder, CompileOrder, ProfileOrder, TestOrder, Toolbox

Answer = CompileAnswer | TestAnswer | ProfileAnswer | BenchmarkAnswer | CompareAnswer | CreatedTask
"""What carrying out an order gives."""


@dataclass(frozen=True)
class CompareOrder:
    """Check several kernels for one task; `kernels` are their texts by label."""

    task: str
    kernels: dict[str, str]
    sweep: bool = False
    kind: Literal["compare"] = "compare"


@dataclass(frozen=True)
class CreateOrder:
    """Keep a new task, or a changed one where nothing has used the one before."""

    draft: NewTask
    replace: bool = False
    kind: Literal["create_task"] = "create_task"

    @property
    def task(self) -> str:
        """The task's name."""
        return self.draft.name


NamedOrder = Annotated[AnyOrder[str] | CompareOrder | CreateOrder, Field(discriminator="kind")]


def called(order: NamedOrder) -> str:
    """Return what clients know an order's kind as: a check is their benchmark."""
    return "benchmark" if isinstance(order, CheckOrder) else order.kind


async def _shelved(report: ProfileReport, catalogue: TaskCatalogue) -> str | None:
    """Keep the whole of a profile where its caller can read it."""
    shelf = ProfileShelf.of(catalogue)
    if shelf is None or not report.shapes:
        return None
    return await asyncio.to_thread(shelf.put, report)


async def _done(toolbox: Toolbox, name: str, order: CheckOrder[Task]) -> CheckReport:
    with progress.part(name):
        return await toolbox.do(order)


async def carry_out(order: NamedOrder, toolbox: Toolbox, catalogue: TaskCatalogue) -> Answer:
    """Do what an order says, and return what its tool answers.

    Raises:
        UsageError: There is no such task, or it cannot be used.
        WorkerError: The environment failed twice.
    """
    if isinstance(order, CreateOrder):
        kept = await keep(order.draft, catalogue, toolbox, replace=order.replace)
        return describe_kept(kept, toolbox.device)
    task = await asyncio.to_thread(catalogue.find, order.task)
    match order:
        case CompileOrder():
            return describe_compile(task, await toolbox.do(order.on(task)))
        case TestOrder():
            tested = await toolbox.do(order.on(task))
            return describe_test(task, tested, device=toolbox.device, isolation=toolbox.isolation)
        case ProfileOrder():
            profiled = await toolbox.do(order.on(task))
            return describe_profile(task, profiled, toolbox.device, await _shelved(profiled, catalogue))
        case CheckOrder():
            return describe_benchmark(task, await toolbox.do(order.on(task)))
        case CompareOrder(_, kernels, sweep):
            orders = [CheckOrder(task, kernel, sweep=sweep) for kernel in kernels.values()]
            numbered = (f"kernel {number} of {len(orders)}" for number in range(1, len(orders) + 1))
            reports = await together(map(partial(_done, toolbox), numbered, orders))
            return describe_comparison(task, list(zip(kernels, reports, strict=True)))
