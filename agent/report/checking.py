"""One judgement, or many, as an account: what `check --report` renders."""

from __future__ import annotations

from collections.abc import Sequence

from agent.report.account import CheckAccount, CheckedKernel, ChecksAccount
from agent.report.kernels import kernel_account
from sandbox.verdict import Provenance
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


def checks_account(kernels: Sequence[CheckedKernel], device: str, isolation: str) -> ChecksAccount:
    """Return the account of judgements by one toolbox; latencies of one have one provenance."""
    timed = [one.check.provenance for one in kernels if one.check and one.check.kernel.latency]
    return ChecksAccount(
        device=device,
        isolation=isolation,
        provenance=timed[0] if timed else Provenance.ESTIMATED,
        kernels=tuple(kernels),
    )
