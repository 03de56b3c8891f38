"""What the search tools answer. Every latency stands beside the word that says where it comes from."""

from __future__ import annotations

from pydantic import BaseModel, Field

from agent.candidates import Candidate
from agent.exploration import Exploration
from agent.results import HeldOut, RunState, Stop
from sandbox.verdict import Provenance, Verdict


class BestSoFar(BaseModel):
    """The best correct kernel so far."""

    latency_us: float
    provenance: Provenance = Field(
        description="measured: timed on a GPU. estimated: a cost model's number, good for ranking only."
    )
    speedup: float | None = Field(description="Baseline latency over this latency, on the same device.")
    features: list[str]
    round: int
    candidate: int


class SearchStatus(BaseModel):
    """Where a search stands, what happened last, and which tool to call next."""

    run: str
    task: str
    device: str
    state: RunState
    round: int = Field(description="The round under way, from 1; 0 while the baseline is being judged.")
    rounds: int = Field(description="Rounds at most.")
    candidates_judged: int
    candidates_total: int = Field(description="Candidates at most.")
    best: BestSoFar | None = None
    message: str = Field(description="What happened last.")
    next_step: str = Field(description="The call to make next.")


class BestKernelText(BestSoFar):
    """The best correct kernel, with its text."""

    kernel: str = Field(description="The kernel file, complete.")
    path: str = Field(description="Where it lies on the server's machine.")
    tune: dict[str, int] = Field(description="The tunable values that were judged.")
    not_judged: list[dict[str, int]] = Field(
        default_factory=list[dict[str, int]],
        description="Bench sizes where its results were only counted, not judged: no plain pass.",
    )
    held_out: HeldOut | None = Field(
        default=None,
        description="Its gain at the task's final sizes, which no proposer saw; null without any.",
    )


class SearchOutcome(BaseModel):
    """What a search has found."""

    run: str
    task: str
    device: str
    isolation: str
    model: str
    state: RunState
    verdict: Verdict | None = Field(
        description="pass where a correct kernel was found; null before any verdict."
    )
    best: BestKernelText | None
    baseline_us: float | None = Field(
        description="The task's own baseline on the same device; provenance as best."
    )
    stopped: Stop | None = Field(description="Why it ended; null while it has not.")
    rounds: int
    seconds: float
    strategy: str = Field(description="What each round built on.")
    exploration: Exploration | None = Field(description="How widely it looked; null before any verdict.")
    candidates_total: int
    candidates: list[Candidate] = Field(description="The latest ones, oldest first.")


class SearchLine(BaseModel):
    """One search in a list."""

    run: str
    task: str
    device: str
    model: str
    state: RunState
    started: str = Field(description="ISO 8601, UTC.")


class SearchList(BaseModel):
    """Searches of this machine, newest first."""

    searches: list[SearchLine]
