"""What the search tools answer. Every latency stands beside the word that says where it comes from."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from agent.candidates import Candidate
from agent.exploration import Exploration
from agent.results import HeldOut, RunState, Stop
from agent.search.written_plans import WrittenPlan
from sandbox.verdict import PairedVerdict, Provenance, Verdict
from tools.mcp.answers import Numbers, Sizes, numbers_text
from tools.mcp.limits import FourDigits
from tools.mcp.profile_shelf import SCHEME
from tools.mcp.reading import (
    JSON,
    MARKDOWN,
    Link,
    fenced,
    joined,
    links_of,
    next_call,
    table,
    text_of,
    times,
)


class BestSoFar(BaseModel):
    """The best correct kernel so far."""

    latency_us: FourDigits
    provenance: Provenance = Field(
        description="measured: timed on a GPU. estimated: a cost model's number, good for ranking only."
    )
    speedup: FourDigits | None = Field(description="Baseline latency over this latency, on the same device.")
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
    plans: list[WrittenPlan] | None = Field(
        default=None, description="Plans of a round that waits for approval; start_search goes on."
    )
    next_step: str = Field(description="The call to make next.")


class BestKernelText(BestSoFar):
    """The best correct kernel, with its text."""

    kernel: str = Field(description="The kernel file, complete.")
    path: str | None = Field(
        default=None, description="Where it lies on this machine; not told to callers over HTTP."
    )
    tune: Numbers = Field(description="The tunable values that were judged.")
    not_judged: list[Sizes] = Field(
        default_factory=list[Sizes],
        description="Bench sizes where its results were only counted, not judged: no plain pass.",
    )
    held_out: HeldOut | None = Field(
        default=None,
        description="Its gain at the task's final sizes, which no proposer saw; null without any.",
    )
    against_baseline: PairedVerdict | None = Field(
        default=None, description="What paired runs on a GPU said of it at the end; null for estimates."
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
        description="pass where a correct kernel was found; not there before any verdict."
    )
    best: BestKernelText | None
    baseline_us: FourDigits | None = Field(description="The task's own baseline on the same device.")
    baseline_provenance: Provenance | None
    stopped: Stop | None = Field(description="Why it ended; not there while it has not.")
    rounds: int
    seconds: FourDigits
    strategy: str = Field(description="What each round built on.")
    exploration: Exploration | None = Field(description="How widely it looked; not there before any verdict.")
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


@text_of.register
def _(answer: SearchStatus) -> str:
    best = answer.best
    found = (
        "No correct kernel yet."
        if best is None
        else f"Best so far: {_latency(best)}, by {', '.join(best.features) or 'no technique'}"
        f" (round {best.round}, candidate {best.candidate})."
    )
    return joined(
        f"**{answer.state}** {answer.run} ({answer.task}, {answer.device}): round {answer.round} of {answer.rounds}, "
        f"{answer.candidates_judged} of {answer.candidates_total} candidates judged.",
        found,
        f"Last: {answer.message}",
        _planned(answer.plans) if answer.plans else "",
        next_call(answer.next_step),
    )


@text_of.register
def _(answer: SearchOutcome) -> str:
    best = answer.best
    baseline = (
        ""
        if answer.baseline_us is None
        else f" The baseline: {answer.baseline_us:.4g} us {answer.baseline_provenance}."
    )
    tune = "" if best is None or not best.tune else f" Tunables: {numbers_text(best.tune)}."
    short = (
        ""
        if best is None
        else "".join(f" Not judged at {numbers_text(one.dims)}." for one in best.not_judged)
    )
    rows = [
        (
            f"{one.round}.{one.candidate}",
            ", ".join(one.features),
            one.verdict,
            "" if one.latency_us is None else f"{one.latency_us:.4g} us {one.provenance}",
            one.message if one.latency_us is None else "",
        )
        for one in answer.candidates
    ]
    return joined(
        f"**{answer.verdict or 'nothing yet'}** {answer.run} ({answer.task}, {answer.device}, by {answer.model}):"
        f" {answer.state}, {answer.rounds} rounds, {answer.seconds:.0f} s.",
        "No candidate was correct." + baseline
        if best is None
        else f"Best: {_latency(best)}.{baseline}{tune}{short}",
        "" if best is None else fenced(best.kernel, "cuda"),
        table(("candidate", "techniques", "verdict", "latency", ""), rows) if rows else "",
        f"{answer.candidates_total - len(rows)} earlier candidates are in the report."
        if answer.candidates_total > len(rows)
        else "",
    )


@links_of.register
def _(answer: SearchOutcome) -> list[Link]:
    base = f"{SCHEME}runs/{answer.run}"
    links = [
        Link("report to read", f"{base}/report.md", MARKDOWN),
        Link("report as data", f"{base}/report.json", JSON),
    ]
    if (best := answer.best) is not None:
        uri = f"{base}/candidates/{best.round}.{best.candidate}/profile.json"
        links.append(Link("profile of the best kernel", uri, JSON))
    return links


@text_of.register
def _(answer: SearchList) -> str:
    rows = [(one.run, one.task, one.device, one.model, one.state, one.started) for one in answer.searches]
    return table(("run", "task", "device", "by", "state", "started"), rows) if rows else "No searches yet."


def _planned(plans: Sequence[WrittenPlan]) -> str:
    rows = [
        (
            ", ".join(plan.features),
            ", ".join(plan.without),
            " + ".join(filter(None, (plan.parent, plan.other))) or "a fresh start",
            plan.why,
        )
        for plan in plans
    ]
    return table(("tries", "leaves out", "builds on", "why"), rows)


def _latency(best: BestSoFar) -> str:
    faster = times(best.speedup)
    return f"{best.latency_us:.4g} us ({best.provenance}){f', {faster}' if faster else ''}"
