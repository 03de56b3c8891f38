"""The record of one judgement: stages in order, with their verdicts, messages and times."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from sandbox.verdict import Verdict
from tools.reports import CheckReport, StageReport


class Outcome(Protocol):
    """What a stage returns."""

    @property
    def verdict(self) -> Verdict:
        """Whether it passed."""
        ...

    @property
    def message(self) -> str:
        """What to say of it."""
        ...


T = TypeVar("T", bound=Outcome)


class Check:
    """A check report under way; after every stage it has that stage's verdict and message.

    Attributes:
        report: The report so far.
    """

    def __init__(self, report: CheckReport) -> None:
        self.report = report

    @property
    def failed(self) -> bool:
        """Whether the last stage failed."""
        return self.report.verdict is not Verdict.PASS

    async def stage(self, name: str, work: Awaitable[T]) -> T:
        """Await a stage, record it, and return its outcome."""
        start = time.monotonic()
        outcome = await work
        stage = StageReport(name, outcome.verdict, outcome.message, time.monotonic() - start)
        self.note(verdict=outcome.verdict, message=outcome.message, stages=(*self.report.stages, stage))
        return outcome

    def note(self, **fields: Any) -> None:
        """Set fields of the report."""
        self.report = replace(self.report, **fields)
