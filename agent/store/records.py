"""Rows of the run store as typed values."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from agent.results import RunState, SearchRequest, Stop
from sandbox.verdict import Provenance
from tools.reports import CheckReport


@dataclass(frozen=True)
class NewRun:
    """What is known of a run before it starts.

    Attributes:
        strategy: The one at work: what `auto` stands for, where that was asked.
        kind: Of the task; features earn credit by it.
    """

    request: SearchRequest
    task: str
    task_folder: Path
    task_sha: str
    device: str
    isolation: str
    model: str
    seed: int
    strategy: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Run(NewRun):
    """A stored run. `state` is INTERRUPTED where it was left running by a process that is gone.

    Attributes:
        created: When, seconds since the epoch.
        seconds: How long it has worked, over all resumes that ended.
        error: Why it failed; empty otherwise.
    """

    id: str = field(kw_only=True)
    created: float = field(kw_only=True)
    state: RunState = field(kw_only=True)
    stopped: Stop | None = field(kw_only=True)
    error: str = field(kw_only=True)
    seconds: float = field(kw_only=True)


class RunSummary(BaseModel):
    """One line of the list of runs."""

    model_config = ConfigDict(frozen=True)
    run: str
    task: str
    device: str
    model: str
    state: RunState
    stopped: Stop | None
    created: datetime
    rounds: int
    candidates: int
    """Candidates judged so far."""
    best_latency_us: float | None
    provenance: Provenance
    speedup: float | None
    error: str


@dataclass(frozen=True)
class Spending:
    """What a tenant's runs have used.

    Attributes:
        running: Searches at work now.
        candidates: Candidates that its searches may judge, at most.
        model_tokens: Tokens read and written by chat models.
    """

    running: int
    candidates: int
    model_tokens: int


_REPORT: TypeAdapter[CheckReport] = TypeAdapter(CheckReport)


def dump_report(report: CheckReport) -> str:
    """Return a report as JSON; NaN stays NaN, which pydantic's own JSON would turn into null."""
    return json.dumps(dataclasses.asdict(report))


def load_report(text: str) -> CheckReport:
    """Read a report back."""
    return _REPORT.validate_python(json.loads(text))
