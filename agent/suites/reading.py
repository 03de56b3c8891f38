"""What the store holds of a suite's runs becomes its account."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.candidates import Trial
from agent.home import Home
from agent.report.account import Figure
from agent.report.task_suite_account import SolvedShare, Speedups, SuiteRow, TaskSuiteAccount
from agent.results import RunState, SearchResult
from agent.store import Run, Store
from agent.suites import scores
from agent.suites.record import SuiteRecord, SuiteSearch
from sandbox.devices.simulated import ceilings_of
from sandbox.errors import WarpwrightError
from sandbox.verdict import Provenance, Verdict
from tools.stages.profiling import least_work
from tools.tasks.folder import find
from tools.tasks.suites import SuiteTask
from tools.tasks.task import Task

_WAITING = "waiting"


@dataclass(frozen=True)
class _Search:
    """One search as the store has it; `trial` is its best candidate."""

    run: Run
    result: SearchResult
    trial: Trial | None

    @property
    def latency(self) -> float:
        best = self.result.best
        return math.inf if best is None else best.latency_us


def read_suite(record: SuiteRecord, home: Home) -> TaskSuiteAccount:
    """Return the account of a suite, whether its searches have ended or not."""
    store = Store(home)
    found = {one.task: _searches(record, one.task, store) for one in record.tasks}
    first = next((one for several in found.values() for one in several), None)
    rows = tuple(_row(one, record, found[one.task], home) for one in record.tasks)
    speedups = [None if row.speedup is None else row.speedup.value for row in rows]
    known = scores.with_baselines(speedups)
    samples = [row.first_round for row in rows]
    usd = [row.usd for row in rows]
    provenances = {row.latency.provenance for row in rows if row.latency is not None}
    return TaskSuiteAccount(
        suite=record.id,
        name=record.name,
        summary=record.summary,
        created=datetime.fromtimestamp(record.created, UTC),
        device=record.request.device if first is None else first.run.device,
        isolation="" if first is None else first.run.isolation,
        model=record.request.writers,
        strategy=str(record.request.strategy),
        candidates=record.request.candidates,
        depth=record.request.depth,
        seeds=max(one.seed for one in record.searches),
        provenance=Provenance.MEASURED if provenances == {Provenance.MEASURED} else Provenance.ESTIMATED,
        cards=record.cards,
        rows=rows,
        solved=sum(row.latency is not None for row in rows),
        ours=_speedups("ours", known),
        published=tuple(
            _speedups(card, [row.published[place] for row in rows if row.published])
            for place, card in enumerate(record.cards)
        ),
        fast=tuple(SolvedShare(at=p, share=scores.fast_p(speedups, p)) for p in scores.PS),
        passed=_passed(samples),
        judged=sum(row.candidates for row in rows),
        tokens=sum(row.tokens for row in rows),
        usd=None if None in usd else math.fsum(one for one in usd if one is not None),
        seconds=math.fsum(row.seconds for row in rows),
    )


def _speedups(of: str, values: Sequence[float]) -> Speedups:
    return Speedups(
        of=of,
        geometric_mean=scores.geometric_mean(values),
        median=scores.median(values),
        most=max(values, default=None),
        below_one=sum(value < 1 for value in values),
    )


def _passed(samples: Sequence[tuple[int, int]]) -> tuple[SolvedShare, ...]:
    """Return pass@1, and pass@k for as many samples as every task with any has."""
    most = min((count for count, _ in samples if count), default=0)
    ks = sorted({1, most} - {0}) if most else []
    return tuple(SolvedShare(at=k, share=scores.pass_at_k(samples, k)) for k in ks)


def _searches(record: SuiteRecord, task: str, store: Store) -> list[_Search]:
    known = [one.run for one in record.searches if one.task == task and one.run is not None]
    return [_search(run, store) for run in known]


def _search(run: str, store: Store) -> _Search:
    best = store.candidates.best(run)
    return _Search(store.get_run(run), store.get_result(run), None if best is None else best[0])


def _row(listed: SuiteTask, record: SuiteRecord, searches: Sequence[_Search], home: Home) -> SuiteRow:
    asked = [one for one in record.searches if one.task == listed.task]
    task = _task(listed, searches, home)
    row = SuiteRow(
        task=Path(listed.task).name,
        summary="" if task is None else task.summary,
        shapes=() if task is None else tuple(case.dims for case in task.benches),
        runs=tuple(one.run.id for one in searches),
        state=_state(searches),
        verdict=None,
        message=_problem(asked, searches),
        published=listed.published,
    )
    if not searches:
        return row
    best = min(searches, key=lambda one: one.latency)
    return row.model_copy(update=_counted(searches) | _found(best, task, row.message))


def _task(listed: SuiteTask, searches: Sequence[_Search], home: Home) -> Task | None:
    """Return the task as its searches had it; None where it is gone, or was changed since."""
    try:
        task = find(listed.task, home.tasks)
    except WarpwrightError:
        return None
    return task if all(one.run.task_sha == task.sha for one in searches) else None


def _state(searches: Sequence[_Search]) -> str:
    states = {one.run.state for one in searches}
    for state in (RunState.RUNNING, RunState.INTERRUPTED, RunState.CANCELLED, RunState.FAILED):
        if state in states:
            return str(state)
    return str(RunState.COMPLETED) if states else _WAITING


def _problem(asked: Iterable[SuiteSearch], searches: Sequence[_Search]) -> str:
    said = [one.problem for one in asked if one.problem] + [
        one.run.error for one in searches if one.run.error
    ]
    return said[0] if said else ""


def _counted(searches: Sequence[_Search]) -> dict[str, object]:
    """What all seeds took together."""
    results = [one.result for one in searches]
    trials = [trial for result in results for trial in result.candidates]
    first = [trial for trial in trials if trial.round == 1]
    usd = [result.model_usd if result.model_tokens else 0.0 for result in results]
    return {
        "candidates": len(trials),
        "correct": sum(trial.verdict is Verdict.PASS for trial in trials),
        "first_round": (len(first), sum(trial.verdict is Verdict.PASS for trial in first)),
        "tokens": sum(result.model_tokens for result in results),
        "usd": None if None in usd else math.fsum(one for one in usd if one is not None),
        "seconds": math.fsum(result.seconds for result in results),
        "speedups": tuple(None if one.best is None else one.best.speedup for one in results),
    }


def _found(search: _Search, task: Task | None, problem: str) -> dict[str, object]:
    """What is said of the search with the best kernel."""
    result, best = search.result, search.result.best
    provenance = Provenance.ESTIMATED if best is None else best.provenance
    baseline, of_baseline = result.baseline_us, result.baseline_provenance or Provenance.ESTIMATED
    found: dict[str, object] = {"verdict": result.verdict, "baseline": _figure(baseline, "us", of_baseline)}
    least = None if task is None else _least(task, search.run.device)
    found["least"] = _figure(least, "us", Provenance.COUNTED)
    if best is None:
        last = result.candidates[-1].message if result.candidates else ""
        return found | {"message": problem or last}
    report = None if search.trial is None else search.trial.report
    profile = None if report is None else report.profile
    held = best.held_out
    return found | {
        "message": "",
        "latency": _figure(best.latency_us, "us", provenance),
        "speedup": _figure(best.speedup, "x", provenance),
        "roofline": None
        if profile is None
        else _figure(profile.roofline_fraction, "of roofline", provenance),
        "sol_score": None
        if least is None or baseline is None
        else scores.sol_score(best.latency_us, baseline, least),
        "bottleneck": "" if profile is None else str(profile.bottleneck),
        "features": tuple(best.features),
        "held_out": None if held is None else _figure(held.speedup, "x", held.provenance),
        "not_judged": tuple(best.not_judged),
    }


def _least(task: Task, device: str) -> float | None:
    """Return T_SOL in microseconds, the geometric mean over the benchmark shapes; None where no rates are known."""
    rates = ceilings_of(device, (argument.dtype for argument in task.arguments))
    if rates is None:
        return None
    times: list[float] = []
    for case in task.benches:
        moved, operations = least_work(task, case)
        times.append(1e6 * max(moved / rates.bytes_per_s, operations / rates.flops_per_s))
    return scores.geometric_mean(times) if min(times) > 0 else None


def _figure(value: float | None, unit: str, provenance: Provenance) -> Figure | None:
    return None if value is None else Figure(value=value, unit=unit, provenance=provenance)
