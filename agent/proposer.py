"""What the search asks of a proposer, be it a chat model or the composer: plans, kernel files, critiques."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from agent.candidates import Belief, CandidatePlan, Parent, Slot, Trial
from prompts import Feature
from sandbox.errors import WarpwrightError
from tools.reports import CheckReport
from tools.tasks.task import Task


class ProposalError(WarpwrightError):
    """A proposer could not answer: endpoint down, or a rate limit that outlasts the retries."""


class BudgetSpentError(ProposalError):
    """The run's budget has no room for what was to be asked."""


@dataclass(frozen=True)
class Critique:
    """The critic's word on a round: ONE bottleneck or ONE root cause, and what to try.

    Attributes:
        text: What bounds the best kernel or why the candidates failed, and the advice.
        features: Names of features worth trying next; may be empty.
    """

    text: str
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Written:
    """What a coder hands in.

    Attributes:
        kernel: Text of the kernel file; None where it gave none.
        features: Names of the features that the kernel uses, as far as its writer knows them.
        said: What it says of the kernel, in words; may be empty.
        lacking: Where it gave no kernel: why, in words; empty otherwise.
    """

    kernel: str | None
    features: tuple[str, ...] = ()
    said: str = ""
    lacking: str = ""


@dataclass(frozen=True)
class PlanContext:
    """What the planner knows when a round starts.

    Attributes:
        round: From 1.
        candidates: How many plans are wanted.
        baseline: The judgement on the task's own baseline; its latency is the reference of every speedup.
        history: Every candidate of earlier rounds, in order of round and candidate.
        parents: The kernels that the slots build on, best first.
        slots: What the strategy offers, one a candidate: plan i is for slot i. A plan may name another of the
            parents and other features; a slot that says `keep` is taken as it is.
        beliefs: What features are thought to gain before this run shows it, from their pages and earlier runs.
        rounds: Rounds at most, this one and those before it included.
        library: The pages that fit the task and the device. A plan may name a feature of its own as well.
        critique: The critic's word on the round before; None in round 1.
        seed: For whatever is random; the same run and round give the same seed.
    """

    task: Task
    device: str
    round: int
    candidates: int
    baseline: CheckReport
    history: tuple[Trial, ...]
    parents: tuple[Parent, ...]
    critique: Critique | None
    seed: int
    slots: tuple[Slot, ...] = ()
    beliefs: Mapping[str, Belief] = field(default_factory=dict[str, Belief])
    rounds: int = 1
    library: tuple[Feature, ...] = ()


@dataclass(frozen=True)
class WriteContext:
    """What the coder of one candidate knows.

    Attributes:
        parent: The kernel the plan names; None for a fresh start.
        feedback: What the tools said about the parent, in words: the compile error with its line, the first
            wrong elements, the fault, or the profile of a correct kernel.
        history: Every candidate of earlier rounds.
        seed: Differs between candidates; the same on a resumed run.
        other: A second kernel to merge with the parent; None for most.
        library: The features that can help this task on this device.
        pages: Those of the plan's features; a feature of the planner's own has none.
    """

    task: Task
    device: str
    round: int
    candidate: int
    plan: CandidatePlan
    parent: Parent | None
    feedback: str
    baseline: CheckReport
    history: tuple[Trial, ...]
    critique: Critique | None
    seed: int
    other: Parent | None = None
    library: tuple[Feature, ...] = ()
    pages: tuple[Feature, ...] = ()


@dataclass(frozen=True)
class CritiqueContext:
    """What the critic knows when a round has been judged.

    Attributes:
        trials: The candidates of this round.
        history: Every candidate so far, this round included.
        best: The best correct kernel so far; None where nothing was correct yet.
        sources: Text of the round's kernels by sha.
        library: The features that can help this task on this device.
    """

    task: Task
    device: str
    round: int
    baseline: CheckReport
    trials: tuple[Trial, ...]
    history: tuple[Trial, ...]
    best: Parent | None
    seed: int
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    library: tuple[Feature, ...] = ()


class FeatureSpace(Protocol):
    """The kernels that features as switches make, for one task."""

    def settle(self, features: Iterable[str]) -> tuple[str, ...]:
        """Return the features that a kernel really uses when these are asked for."""
        ...


@runtime_checkable
class LimitedProposer(Protocol):
    """A proposer that knows only some of the library's features, each as a switch."""

    def space(self, task: Task) -> FeatureSpace:
        """Return the kernels that it can write for a task."""
        ...

    def features(self, task: Task) -> tuple[str, ...]:
        """Return the names of those it can use for a task."""
        ...


class Proposer(Protocol):
    """Plans candidates, writes kernel files, and criticises rounds.

    Answers must depend on the context alone, so that a resumed run repeats itself. Every method may raise
    ProposalError (the candidate or the round goes on without the answer) and UsageError (the run ends: this
    proposer cannot work on this task at all).
    """

    @property
    def name(self) -> str:
        """Shown to people and stored with the run: `composer`, or the model's name."""
        ...

    async def plan(self, context: PlanContext) -> list[CandidatePlan]:
        """Choose what each candidate of the round tries; at most `context.candidates` plans."""
        ...

    async def write(self, context: WriteContext) -> Written:
        """Write one candidate: one kernel file."""
        ...

    async def criticise(self, context: CritiqueContext) -> Critique:
        """Name one bottleneck or one root cause of failure, and what to try."""
        ...
