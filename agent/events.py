"""What a search says while it runs; the command line, the MCP server and logs all listen to these."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from agent.candidates import Candidate
from sandbox.verdict import Provenance


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True)
    run: str


class RunStarted(_Event):
    """The run exists in the store; from here on it can be resumed."""

    kind: Literal["run_started"] = "run_started"
    task: str
    device: str
    isolation: str
    model: str
    strategy: str = ""
    candidates: int
    depth: int
    resumed: bool = False


class BaselineJudged(_Event):
    """The task's own baseline, frozen and timed."""

    kind: Literal["baseline_judged"] = "baseline_judged"
    latency_us: float | None
    provenance: Provenance


class RoundPlanned(_Event):
    """The planner chose what each candidate of this round tries and leaves out, as `Candidate.tried` says it."""

    kind: Literal["round_planned"] = "round_planned"
    round: int
    features: list[list[str]]


class StageFinished(_Event):
    """One stage of one candidate ended: coder, compile, test, sweep or profile."""

    kind: Literal["stage_finished"] = "stage_finished"
    round: int
    candidate: int
    stage: str
    message: str = ""


class CandidateJudged(_Event, Candidate):
    """A candidate has its verdict."""

    kind: Literal["candidate_judged"] = "candidate_judged"
    is_best: bool = False

    @classmethod
    def of(cls, run: str, judged: Candidate, *, is_best: bool = False) -> Self:
        """Return the news of a candidate."""
        known = {name: getattr(judged, name) for name in Candidate.model_fields}
        return cls(run=run, is_best=is_best, **known)


class RoundFinished(_Event):
    """The critic has spoken."""

    kind: Literal["round_finished"] = "round_finished"
    round: int
    critique: str
    best_latency_us: float | None = None


class Noticed(_Event):
    """Something that a person should know: an answer that could not be used, and what stands in for it."""

    kind: Literal["noticed"] = "noticed"
    message: str


class RunFinished(_Event):
    """The run ended; `stopped` says why."""

    kind: Literal["run_finished"] = "run_finished"
    stopped: str
    best_latency_us: float | None = None


Event = Annotated[
    RunStarted
    | BaselineJudged
    | RoundPlanned
    | StageFinished
    | CandidateJudged
    | RoundFinished
    | Noticed
    | RunFinished,
    Field(discriminator="kind"),
]
