"""Runs the stages of one judgement: each gates the next, is timed and leaves one line in the report."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.verdict import Verdict
from tools import progress
from tools.judge.freezing import Frozen
from tools.reports import CheckReport, StageReport
from tools.stages.compiling import CompiledCases
from tools.tasks.task import Task
from tools.toolbox import CheckOrder


@dataclass(frozen=True)
class CheckContext:
    """A judgement under way.

    Attributes:
        seed: Of every input that is drawn.
        report: What is known so far.
        compiled: The kernel as its author tuned it, compiled for every test case; None before that.
    """

    order: CheckOrder[Task]
    frozen: Frozen
    seed: int
    report: CheckReport
    compiled: CompiledCases | None = None


@dataclass(frozen=True)
class StageOutcome:
    """What a stage found.

    Attributes:
        facts: Fields of the check report that it fills in.
        compiled: The kernel, from the stage that compiles it.
        headline: What the whole judgement says from here on; empty where the stage's kind decides.
    """

    verdict: Verdict
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    compiled: CompiledCases | None = None
    headline: str = ""


@dataclass(frozen=True)
class Stage:
    """One step of a judgement.

    Attributes:
        run: Does it; None where there is nothing to do.
        headline: Whether the whole judgement's message is this stage's, also where it passes.
        timing: Whether the stage times what is known to be right: then what it leaves undecided changes no verdict.
    """

    name: str
    run: Callable[[CheckContext], Awaitable[StageOutcome | None]]
    headline: bool = True
    timing: bool = False


async def judge(context: CheckContext, stages: Sequence[Stage]) -> CheckReport:
    """Run the stages in order until one fails, and return the report on all that ran."""
    for stage in stages:
        start = time.monotonic()
        progress.begin(stage.name)
        outcome = await stage.run(context)
        if outcome is None:
            progress.skip()
            continue
        line = StageReport(stage.name, outcome.verdict, outcome.message, time.monotonic() - start)
        verdict = outcome.verdict
        if stage.timing and verdict is Verdict.UNDECIDED:
            verdict = context.report.verdict
        failed = verdict is not Verdict.PASS
        report = replace(
            context.report,
            verdict=verdict,
            message=outcome.message
            if failed or stage.headline
            else outcome.headline or context.report.message,
            stages=(*context.report.stages, line),
            **outcome.facts,
        )
        context = replace(context, report=report, compiled=outcome.compiled or context.compiled)
        if failed:
            break
    return context.report
