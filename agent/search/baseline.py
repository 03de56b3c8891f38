"""The judgement on a task's own baseline, which every speedup refers to."""

from __future__ import annotations

from agent.candidates import CandidatePlan, Submission
from agent.store import Store
from sandbox.errors import MissingDependencyError, UsageError
from sandbox.verdict import Verdict
from tools.reports import CheckReport
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, Toolbox


async def judge_baseline(store: Store, run: str, task: Task, toolbox: Toolbox) -> CheckReport:
    """Judge the baseline once a run, and keep it as candidate 0 of round 0, so that its copies are known.

    Raises:
        UsageError: The baseline is not correct; the task must be mended.
        MissingDependencyError: The device cannot judge or time the baseline.
    """
    report = store.runs.baseline(run)
    if report is not None:
        return report
    report = await toolbox.do(CheckOrder(task, task.baseline, benches=False))
    _require_timed(task, report)
    sha = store.kernels.keep(run, task.baseline)
    submission = Submission(0, 0, CandidatePlan(None, (), "the task's baseline"), sha)
    store.candidates.add(run, submission)
    store.candidates.judge(run, submission.checked(report, None))
    store.runs.keep_baseline(run, report)
    return report


def _require_timed(task: Task, report: CheckReport) -> None:
    if report.verdict in {Verdict.UNSUPPORTED, Verdict.UNDECIDED}:
        msg = f"{report.device} cannot judge the baseline of {task.name}: {report.message}"
        raise MissingDependencyError(msg)
    if report.verdict is not Verdict.PASS:
        said = f"{report.verdict}: {report.message}"
        msg = f"the baseline of {task.name} fails: {said}; mend {task.folder}/baseline.cu"
        raise UsageError(msg)
    if report.profile is None or report.profile.latency_us is None:
        said = report.message if report.profile is None else report.profile.message
        msg = f"{report.device} cannot time the baseline of {task.name}: {said}"
        raise MissingDependencyError(msg)
