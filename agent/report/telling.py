"""From what the store holds of a run to its account: pure, so that every format tells the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.candidates import Line, Submission, Trial
from agent.exploration import exploration
from agent.report.account import (
    Budgeted,
    CandidateAccount,
    ComparisonAccount,
    Figure,
    KernelAccount,
    RoundWords,
    RunAccount,
)
from agent.report.credit import credit
from agent.report.kernels import kernel_account
from agent.report.roofline import Peaks, TaskFacts, roofline
from agent.store import Run
from agent.store.replies import RoleCost
from sandbox.verdict import Provenance, Verdict
from tools.reports import CheckReport


@dataclass(frozen=True)
class StoredRun:
    """All that a report is made of.

    Attributes:
        best: The best candidate, and the sha of its `best.cu`.
        parent: The candidate that the best one built on; None where that was the baseline, or nothing.
        attempts: Every candidate, the baseline first, with what became of it; without reports.
        lines: The judged ones in a line each.
        critiques: Round and the critic's words.
        texts: Kernels by sha.
        tokens: Of chat models, calls under way at their worst.
        missing: Why there is no `task`; empty where there is one.
    """

    run: Run
    baseline: CheckReport | None
    best: tuple[Trial, str] | None
    parent: Trial | None
    attempts: Sequence[tuple[Submission, Trial | None]]
    lines: Sequence[Line]
    critiques: Sequence[tuple[int, str]]
    notices: Sequence[str]
    roles: tuple[RoleCost, ...]
    tokens: int
    usd: float | None
    texts: Mapping[str, str]
    task: TaskFacts | None
    peaks: Peaks | None
    missing: str


def run_account(stored: StoredRun) -> RunAccount:
    """Return the account of a run."""
    run, request = stored.run, stored.run.request
    candidates = tuple(_candidates(stored))
    baseline = _baseline(stored)
    best, parent = _best(stored), _parent(stored)
    told = exploration(
        [line for line in stored.lines if line.round > 0],
        next((line for line in stored.lines if line.round == 0), None),
    )
    judged = [one.verdict for one in candidates if one.verdict is not None]
    last = judged[-1] if judged else None
    provenance = _provenance(best, baseline)
    kernels = [one for one in (baseline, parent, best) if one is not None]
    roof = stored.missing if stored.task is None else roofline(stored.task, stored.peaks, kernels)
    return RunAccount(
        run=run.id,
        task=run.task,
        summary="" if stored.task is None else stored.task.summary,
        task_sha=run.task_sha,
        device=run.device,
        architecture=_architecture(stored.baseline),
        isolation=run.isolation,
        model=run.model,
        strategy=run.strategy,
        seed=run.seed,
        created=datetime.fromtimestamp(run.created, UTC),
        seconds=run.seconds,
        state=run.state,
        stopped=run.stopped,
        error=run.error,
        planned_rounds=request.depth,
        planned_candidates=request.candidates,
        verdict=last if best is None else Verdict.PASS,
        provenance=provenance,
        baseline=baseline,
        parent=parent,
        best=best,
        candidates=candidates,
        critiques=tuple(RoundWords(round=number, critique=said) for number, said in stored.critiques),
        notices=tuple(stored.notices),
        credit=credit(stored.lines, provenance),
        budget=Budgeted(
            limits=request.budget,
            tokens=stored.tokens,
            usd=stored.usd,
            seconds=run.seconds,
            candidates=len(candidates),
            roles=stored.roles,
        ),
        exploration=told if told.judged else None,
        roofline=None if isinstance(roof, str) else roof,
        no_roofline=roof if isinstance(roof, str) else "",
    )


def comparison(first: RunAccount, second: RunAccount) -> ComparisonAccount:
    """Return two runs side by side, and why their latencies must not be compared, if so."""
    unlike = [
        f"{what}: {left} and {right}"
        for what, left, right in (
            ("different tasks", first.task, second.task),
            ("different devices", first.device, second.device),
            ("latencies of different provenance", first.provenance, second.provenance),
        )
        if left != right
    ]
    if first.task == second.task and first.task_sha != second.task_sha:
        unlike.append(f"the task {first.task} was changed between the two runs")
    return ComparisonAccount(first=first, second=second, unlike=tuple(unlike))


def _architecture(baseline: CheckReport | None) -> str:
    return "" if baseline is None or baseline.compile is None else baseline.compile.architecture


def _provenance(*kernels: KernelAccount | None) -> Provenance:
    known = [one.latency.provenance for one in kernels if one is not None and one.latency is not None]
    return known[0] if known else Provenance.ESTIMATED


def _baseline(stored: StoredRun) -> KernelAccount | None:
    if stored.baseline is None:
        return None
    sha = next((one.sha for one, _ in stored.attempts if one.round == 0 and one.sha is not None), "")
    return kernel_account(stored.baseline, "baseline", stored.texts.get(sha))


def _best(stored: StoredRun) -> KernelAccount | None:
    if stored.best is None or stored.best[0].report is None:
        return None
    trial, sha = stored.best
    assert trial.report is not None, "looked at above"
    found = kernel_account(
        *(trial.report, "best", stored.texts.get(sha)), place=_place(trial), features=_in_use(trial)
    )
    return found.model_copy(update={"sha": sha})


def _parent(stored: StoredRun) -> KernelAccount | None:
    trial = stored.parent
    if trial is None or trial.report is None:
        return None
    text = stored.texts.get(trial.sha or "")
    return kernel_account(trial.report, "parent", text, place=_place(trial), features=_in_use(trial))


def _in_use(trial: Trial) -> tuple[str, ...]:
    return tuple(trial.used) or tuple(trial.features)


def _place(one: Trial | Submission) -> str:
    return f"{one.round}/{one.candidate}"


def _candidates(stored: StoredRun) -> Iterator[CandidateAccount]:
    """Return the candidates in order, each with the best latency up to it."""
    parents = _parents(stored.attempts)
    winning = _path(parents, None if stored.best is None else _place(stored.best[0]))
    so_far: Figure | None = None
    for submission, trial in stored.attempts:
        if submission.round == 0:
            continue
        latency = None if trial is None else _figure(trial.latency_us, "us", trial.provenance)
        if latency is not None and (so_far is None or latency.value < so_far.value):
            so_far = latency
        yield _candidate(submission, trial, parents[_place(submission)], so_far).model_copy(
            update={"winning": _place(submission) in winning}
        )


def _parents(attempts: Sequence[tuple[Submission, Trial | None]]) -> dict[str, tuple[str, ...]]:
    """Return by each candidate's place those of the kernels that it started from, which are all earlier ones."""
    places: dict[str, str] = {}
    found: dict[str, tuple[str, ...]] = {}
    for one, _ in attempts:
        found[_place(one)] = tuple(places[sha] for sha in one.plan.parents if sha in places)
        if one.sha is not None:
            places.setdefault(one.sha, _place(one))
    return found


def _candidate(
    submission: Submission, trial: Trial | None, parents: tuple[str, ...], so_far: Figure | None
) -> CandidateAccount:
    judged = trial is not None
    return CandidateAccount(
        place=_place(submission),
        round=submission.round,
        features=submission.plan.features,
        without=submission.plan.without,
        why=submission.plan.why,
        origin=submission.plan.origin,
        parents=parents,
        verdict=trial.verdict if judged else None,
        message=trial.message if judged else "",
        latency=_figure(trial.latency_us, "us", trial.provenance) if judged else None,
        speedup=_figure(trial.speedup, "x", trial.provenance) if judged else None,
        tune=trial.tune if judged else {},
        sha=submission.sha,
        duplicate_of=trial.duplicate_of if judged else None,
        lost=judged and trial.lost,
        bottleneck=str(trial.niche.bottleneck) if judged and trial.niche is not None else "",
        best_so_far=so_far,
        winning=False,
    )


def _path(parents: Mapping[str, tuple[str, ...]], place: str | None) -> set[str]:
    """Return the candidates from the best one back to where its line began, by first parents."""
    found: set[str] = set()
    while place is not None and place not in found:
        found.add(place)
        place = next(iter(parents.get(place, ())), None)
    return found


def _figure(value: float | None, unit: str, provenance: Provenance) -> Figure | None:
    return None if value is None else Figure(value=value, unit=unit, provenance=provenance)
