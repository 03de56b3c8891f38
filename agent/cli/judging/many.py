"""Judging many kernels with one toolbox: a repository's, in CI."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.judging.kernel_paths import NamedKernel
from agent.cli.judging.kernels import read_kernel
from agent.cli.outcome import ExitStatus
from sandbox.errors import UsageError
from sandbox.verdict import Verdict

if TYPE_CHECKING:
    from agent.report.account import CheckedKernel
    from tools.reports import CheckReport
    from tools.tasks.task import Task
    from tools.toolbox import Toolbox

_OURS = {Verdict.UNSUPPORTED, Verdict.UNDECIDED}
"""What says something of this machine, and nothing against a kernel."""


@dataclass(frozen=True)
class Judged:
    """What became of one kernel.

    Attributes:
        report: None where it could not be judged at all: `problem` says why.
        slower: How it got slower than before, in words; empty where it did not.
        text: Of the kernel file, with the files that it includes, where it was judged.
        judged_task: Its task, where it was judged.
        strict: Whether a pass counts only where results were judged at every benchmark shape.
    """

    kernel: Path
    task: str
    report: CheckReport | None = None
    problem: str = ""
    slower: str = ""
    text: str = ""
    judged_task: Task | None = None
    strict: bool = False

    @property
    def verdict(self) -> Verdict:
        """The verdict; `rejected` where the kernel or its task cannot be read."""
        return Verdict.REJECTED if self.report is None else self.report.verdict

    @property
    def ok(self) -> bool:
        """Whether the kernel is right, judged as far as was asked, and no slower."""
        return self.verdict is Verdict.PASS and not self.slower and not (self.strict and self.short)

    @property
    def short(self) -> str:
        """What a pass leaves out, as `not_judged_text` says it; empty where it leaves out nothing."""
        from tools.reports import not_judged_text

        return "" if self.report is None else not_judged_text(self.report.verdict, self.report.not_judged)

    @property
    def lacks(self) -> bool:
        """Whether something of this machine stands against the kernel, and nothing of its own."""
        return self.verdict in _OURS or (self.verdict is Verdict.PASS and not self.ok and not self.slower)

    @property
    def message(self) -> str:
        """Why, in words."""
        said = self.problem if self.report is None else self.report.message
        if self.verdict is not Verdict.PASS or self.ok:
            return said
        return self.slower or f"no plain pass{self.short}, and --strict asks for one"

    @property
    def latency_us(self) -> float | None:
        """Microseconds of a right kernel that was timed."""
        profile = None if self.report is None else self.report.profile
        return None if profile is None or self.verdict is not Verdict.PASS else profile.latency_us

    @property
    def seconds(self) -> float:
        """How long judging took."""
        return 0.0 if self.report is None else sum(stage.seconds for stage in self.report.stages)

    @property
    def place(self) -> tuple[Path, int]:
        """The file and the line that a failure is about: the kernel file, or one that it includes."""
        from tools.kernel.sections import place_of, sections_of

        place = place_of(sections_of(self.text), self._line)
        return (self.kernel.with_name(place.file) if place.file else self.kernel), place.line

    @property
    def _line(self) -> int:
        report = self.report
        if report is None:
            return 1
        faults = [case.fault for case in report.test.failures if case.fault] if report.test else []
        told = [one.line for one in faults if one.line is not None]
        if report.compile is not None and report.compile.verdict is not Verdict.PASS:
            told = [one.line for one in report.compile.diagnostics if one.line is not None]
        return told[0] if told else 1

    def account(self) -> CheckedKernel:
        """Return it as a report tells it."""
        from agent.report.account import CheckedKernel
        from agent.report.checking import check_account

        check = None
        if self.report is not None and self.judged_task is not None:
            check = check_account(self.report, self.judged_task, self.text)
        return CheckedKernel(
            kernel=self.kernel.as_posix(),
            task=self.task,
            verdict=self.verdict,
            message=self.message,
            slower=bool(self.slower),
            check=check,
        )

    def summary(self) -> dict[str, Any]:
        """Return what came of it as plain values, without the report."""
        profile = None if self.report is None else self.report.profile
        return {
            "kernel": self.kernel.as_posix(),
            "task": self.task,
            "verdict": str(self.verdict),
            "message": self.message,
            "latency_us": self.latency_us,
            "provenance": None if profile is None else str(profile.provenance),
            "slower": bool(self.slower),
        }

    def plain(self) -> dict[str, Any]:
        """Return all of it as plain values, for JSON."""
        from pydantic import TypeAdapter

        report = self.report
        dumped = None if report is None else TypeAdapter(type(report)).dump_python(report, mode="json")
        return self.summary() | {"report": dumped}


async def judge_all(
    kernels: Sequence[NamedKernel],
    toolbox: Toolbox,
    order: Callable[[Any, str], Any],
    own: Path,
    tell: Callable[[str], None],
    *,
    strict: bool = False,
) -> list[Judged]:
    """Judge kernels one after the other.

    Args:
        kernels: Which.
        toolbox: What judges.
        order: Makes the order of a task and a kernel's text.
        own: Folder of this person's own tasks.
        tell: Is told what is judged next.
        strict: Whether only a pass at every benchmark shape counts.
    """
    from tools.tasks.folder import find

    judged: list[Judged] = []
    for number, one in enumerate(kernels, start=1):
        tell(f"kernel {number} of {len(kernels)}: {one.path}")
        blank = Judged(one.path, Path(one.task).name, strict=strict)
        try:
            task = find(one.task, own)
            text = read_kernel(str(one.path))
            report = await toolbox.do(order(task, text))
            judged.append(replace(blank, task=task.name, text=text, judged_task=task, report=report))
        except UsageError as error:
            judged.append(replace(blank, problem=str(error)))
    return judged


def status_of(judged: Iterable[Judged]) -> ExitStatus:
    """Return the worst status: a wrong or slower kernel before one that this machine could not judge."""
    statuses = [_status(one) for one in judged]
    for status in (ExitStatus.NOT_CORRECT, ExitStatus.LACKING):
        if status in statuses:
            return status
    return ExitStatus.DONE


def _status(one: Judged) -> ExitStatus:
    if one.ok:
        return ExitStatus.DONE
    return ExitStatus.LACKING if one.lacks else ExitStatus.NOT_CORRECT
