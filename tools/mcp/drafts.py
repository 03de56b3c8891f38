"""What create_task is given, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import Field

from sandbox.verdict import Provenance, Verdict
from tools.mcp.answers import PROVENANCE, JudgeAnswer
from tools.mcp.limits import FourDigits
from tools.reports import CheckReport
from tools.tasks.drafting import NAME, Kept
from tools.tasks.task import WholeTask


@dataclass(frozen=True)
class NewTask(WholeTask):
    """Everything that a task says."""

    name: str = field(metadata={"pattern": f"^{NAME}$", "description": "Lower-case letters, digits and `_`."})


class CreatedTask(JudgeAnswer):
    """A task that was kept: its baseline passed every test, and nothing trivial does."""

    created: bool = Field(default=False, description="false where the very same task was there before.")
    sha: str = ""
    baseline_us: FourDigits | None = Field(default=None, description="Latency of its baseline.")
    composer: str = Field(default="", description="Whether start_search can do without a model.")
    provenance: Provenance = Field(default=Provenance.ESTIMATED, description=PROVENANCE)


def baseline_text(report: CheckReport) -> str:
    """Return what was found of a draft's baseline: its results, also at the benchmark sizes, and its latency."""
    parts = [one.message for one in (report.test, report.bench) if one is not None and one.message]
    profile = report.profile
    if profile is not None and profile.latency_us is not None:
        parts.append(f"It takes {profile.latency_us:.4g} us ({profile.provenance}).")
    return " ".join(["Its baseline passes.", *parts])


def describe_kept(kept: Kept, device: str) -> CreatedTask:
    """Return what create_task answers."""
    name, report = kept.task.name, kept.report
    profile = None if report is None else report.profile
    return CreatedTask(
        verdict=Verdict.PASS,
        message=f"{name} was there already."
        if report is None
        else f"{name} is kept. {baseline_text(report)}",
        task=name,
        device=device,
        created=report is not None,
        sha=kept.task.sha,
        baseline_us=None if profile is None else profile.latency_us,
        provenance=Provenance.ESTIMATED if profile is None else profile.provenance,
        next_step=f"start_search(task='{name}'), or write a kernel yourself: get_task(task='{name}').",
    )
