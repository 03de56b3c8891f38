"""What the store holds of a run, read for a report; everything else here is pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.candidates import Submission, Trial
from agent.events import Noticed, RoundFinished
from agent.report.account import RunAccount
from agent.report.roofline import Peaks, TaskFacts
from agent.report.telling import StoredRun, run_account
from agent.store import Run, Store
from agent.store.ledger import CallCost
from sandbox.devices.simulated import ceilings_of
from sandbox.errors import WarpwrightError
from tools.stages.profiling import least_work
from tools.tasks.folder import load
from tools.tasks.task import Task


@dataclass(frozen=True)
class _Kept:
    """What a run's candidates are, and the kernel of the best."""

    attempts: list[tuple[Submission, Trial | None]]
    best: tuple[Trial, str] | None
    parent: Trial | None


def read_account(store: Store, run: str) -> RunAccount:
    """Return the account of a run, whether it ended or not.

    Raises:
        UsageError: There is no run of that name.
    """
    return run_account(read_run(store, run))


def read_run(store: Store, run: str) -> StoredRun:
    """Return all that a report says of a run; raise UsageError where there is none of that name."""
    stored = store.get_run(run)
    kept = _kept(store, run)
    events = [one.event for one in store.events_since(run)]
    baseline = store.runs.baseline(run)
    task, missing = _task(stored)
    spent: CallCost = store.ledger(run, stored.request.budget).cost()
    return StoredRun(
        run=stored,
        baseline=baseline,
        best=kept.best,
        parent=kept.parent,
        attempts=kept.attempts,
        lines=store.candidates.lines(run, first=0),
        critiques=[(one.round, one.critique) for one in events if isinstance(one, RoundFinished)],
        notices=[one.message for one in events if isinstance(one, Noticed)],
        roles=store.replies(run).costs(),
        tokens=spent.tokens,
        usd=spent.usd,
        texts=_texts(store, run, kept),
        task=None if task is None else _facts(task),
        peaks=None if task is None else _peaks(stored, task),
        missing=missing,
    )


def _kept(store: Store, run: str) -> _Kept:
    best = store.candidates.best(run)
    attempts = store.candidates.attempts(run)
    parent = None
    if best is not None:
        submitted = store.candidates.submission(run, best[0].place)
        sha = None if submitted is None else submitted.plan.parent
        first = None if sha is None else store.candidates.first_with(run, sha)
        parent = None if first is None or first.round == 0 else store.candidates.trial(run, first.place)
    return _Kept(attempts, best, parent)


def _texts(store: Store, run: str, kept: _Kept) -> Mapping[str, str]:
    """Return the kernels that a report shows, by sha; those that are not kept any more are left out."""
    wanted = {submission.sha for submission, _ in kept.attempts if submission.round == 0}
    wanted |= {None if kept.best is None else kept.best[1], None if kept.parent is None else kept.parent.sha}
    found: dict[str, str] = {}
    for sha in wanted:
        if sha is not None:
            try:
                found[sha] = store.kernels.read(run, sha)
            except FileNotFoundError:
                continue
    return found


def _task(stored: Run) -> tuple[Task | None, str]:
    """Return the task as it was when the run began; why not, where it changed or is gone."""
    try:
        task = load(stored.task_folder)
    except (WarpwrightError, OSError):
        return None, f"the task's folder {stored.task_folder} is gone or cannot be read"
    if task.sha != stored.task_sha:
        return None, f"the task in {stored.task_folder} was changed after this run"
    return task, ""


def _facts(task: Task) -> TaskFacts:
    moved, operations = least_work(task, task.benches[-1])
    return TaskFacts(task.summary, dict(task.benches[-1].dims), moved, operations)


def _peaks(stored: Run, task: Task) -> Peaks | None:
    found = ceilings_of(stored.device, (argument.dtype for argument in task.arguments))
    return None if found is None else Peaks(found.bytes_per_s, found.flops_per_s, found.source)
