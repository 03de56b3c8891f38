"""What else is wrong with a kernel that failed: one fault a round costs its author a round each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sandbox.device import Device
from sandbox.verdict import Verdict, precedence
from tools.judge.questions import Oracle
from tools.judge.subjects import Rules, Subject
from tools.judge.testing import judge_results
from tools.reports import CaseReport, SourceLine, TestReport
from tools.tasks.task import Task

MOST = 4
"""Failures that are told of one kernel."""
_LAST = frozenset(
    {Verdict.TIMEOUT, Verdict.RESOURCE_LIMIT, Verdict.UNSUPPORTED, Verdict.LAUNCH_ERROR, Verdict.UNDECIDED}
)
"""After these no other case is tried: it would cost as much, or say the same."""


@dataclass(frozen=True)
class Search:
    """Looks for further failures of kernels of one task."""

    task: Task
    device: Device
    oracle: Oracle
    rules: Rules

    async def complete(self, report: TestReport, subjects: Sequence[Subject]) -> TestReport:
        """Add what cases after the one that failed show, each run once on one input.

        First come the failures of the case with the most serious one, in the order in which its run tells them. What
        comes of the same lines, or is wrong in the same outputs, is one failure. A case that was never reached is
        tried only where the failure was in the first round of cases.

        Args:
            report: Of a kernel that failed.
            subjects: The kernel for every case of the task, in the order in which they were judged.
        """
        if not report.failures:
            return report
        first = report.failures[0]
        runs = [report.failures]
        passed = tuple(case for case in report.cases if case.verdict is Verdict.PASS)
        for subject in subjects[len(passed) + 1 :]:
            if runs[-1][-1].verdict in _LAST:
                break
            found = await self._judge(subject, first.seed)
            if found.verdict not in {Verdict.PASS, Verdict.UNDECIDED}:
                runs.append(found.failures)
        runs.sort(key=lambda failures: precedence(failures[0].verdict))
        failures = _different([case for failures in runs for case in failures])[:MOST]
        message = report.message if failures[0] is first else failures[0].message
        return replace(report, verdict=failures[0].verdict, message=message, cases=(*passed, *failures))

    async def _judge(self, subject: Subject, seed: int) -> TestReport:
        once, rules = replace(subject, once=True), replace(self.rules, seeds=1)
        found = await judge_results(self.task, self.device, self.oracle, [once], rules, seed=seed)
        return found.report


def with_lines(report: TestReport, source: str) -> TestReport:
    """Add the text of the lines that failures are about."""
    if report.verdict is Verdict.PASS:
        return report
    lines = source.splitlines()

    def shown(case: CaseReport) -> CaseReport:
        numbers = () if case.fault is None else case.fault.lines
        there = [number for number in numbers if 1 <= number <= len(lines)]
        return replace(case, lines=tuple(SourceLine(number, lines[number - 1].strip()) for number in there))

    return replace(report, cases=tuple(map(shown, report.cases)))


def _different(failures: Sequence[CaseReport]) -> list[CaseReport]:
    """One of each kind, the first."""
    kinds: dict[object, CaseReport] = {}
    for case in failures:
        kinds.setdefault(_kind(case), case)
    return list(kinds.values())


def _kind(case: CaseReport) -> object:
    fault = case.fault
    if fault is None:
        return case.verdict, frozenset(wrong.output for wrong in case.first)
    if not fault.lines:
        return case.verdict, fault.message
    return case.verdict, fault.kernel, fault.lines
