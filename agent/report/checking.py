"""One judgement as an account: what `check --report` renders."""

from __future__ import annotations

from agent.report.account import CheckAccount
from agent.report.kernels import kernel_account
from tools.reports import CheckReport
from tools.tasks.task import Task


def check_account(report: CheckReport, task: Task, kernel: str) -> CheckAccount:
    """Return the account of a judgement on a kernel file's text."""
    return CheckAccount(
        task=report.task,
        summary=task.summary,
        task_sha=report.task_sha,
        device=report.device,
        isolation=report.isolation,
        provenance=report.provenance if report.profile is None else report.profile.provenance,
        kernel=kernel_account(report, "kernel", kernel),
        baseline_text=task.baseline,
    )
