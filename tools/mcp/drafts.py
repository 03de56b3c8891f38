"""What create_task is given, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import Field

from sandbox.verdict import Provenance, Verdict
from tools.mcp.answers import PROVENANCE, JudgeAnswer
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
    baseline_us: float | None = Field(default=None, description="Latency of its baseline.")
    provenance: Provenance = Field(default=Provenance.ESTIMATED, description=PROVENANCE)


def describe_kept(kept: Kept, device: str) -> CreatedTask:
    """Return what create_task answers."""
    name, profile = kept.task.name, kept.profile
    return CreatedTask(
        verdict=Verdict.PASS,
        message=f"{name} was there already." if profile is None else f"{name} is kept; its baseline passes.",
        task=name,
        device=device,
        created=profile is not None,
        sha=kept.task.sha,
        baseline_us=None if profile is None else profile.latency_us,
        provenance=Provenance.ESTIMATED if profile is None else profile.provenance,
        next_step=f"start_search(task='{name}'), or write a kernel yourself: get_task(task='{name}').",
    )
