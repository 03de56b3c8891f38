"""The table of runs."""

from __future__ import annotations

import re
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    and_,
    bindparam,
    func,
    insert,
    select,
    union_all,
    update,
)

from agent.results import RunState, SearchRequest, Stop
from agent.store.database import Database
from agent.store.liveness import Owner, this_process
from agent.store.records import NewRun, Run, RunSummary, Spending, dump_report, load_report
from agent.store.tables import Words, candidates, events, replies, runs
from sandbox.errors import UsageError
from sandbox.verdict import Provenance
from tools.reports import CheckReport

_C = runs.c
_OF = _C.id == bindparam("of")
_SEEN = _C.tenant == func.coalesce(bindparam("tenant", type_=Words), _C.tenant)
_ONE = select(*(column for column in _C if column is not _C.baseline_report)).where(_OF, _SEEN)
_BASELINE = select(_C.baseline_report).where(_OF, _SEEN)
_IS_THERE = select(_C.id).where(_OF)
_SET = update(runs).where(_OF)
_WORKED = update(runs).where(_OF).values(seconds=_C.seconds + bindparam("more"))
_ITS = candidates.alias("its")
_BEST = candidates.alias("best")
_LIST = (
    select(
        *(_C.id, _C.task, _C.device, _C.model, _C.state, _C.stopped, _C.created, _C.error),
        *(_C.pid, _C.pid_started, _C.place, _C.beat, _BEST.c.latency_us, _BEST.c.speedup),
        func.coalesce(_BEST.c.provenance, Provenance.ESTIMATED.value).label("provenance"),
        func.coalesce(select(func.max(_ITS.c.round)).where(_ITS.c.run == _C.id).scalar_subquery(), 0).label(
            "rounds"
        ),
        select(func.count())
        .where(_ITS.c.run == _C.id, _ITS.c.round > 0, _ITS.c.verdict.is_not(None))
        .scalar_subquery()
        .label("judged"),
    )
    .outerjoin(
        _BEST,
        and_(_BEST.c.run == _C.id, _BEST.c.round == _C.best_round, _BEST.c.candidate == _C.best_candidate),
    )
    .where(_SEEN)
    .order_by(_C.created.desc(), _C.rowid.desc())
    .limit(bindparam("most"))
)
# A range, which an index finds, where a pattern would be held against every candidate.
_BEGIN, _END = bindparam("start", type_=Words), bindparam("end", type_=Words)
_KNOWN = union_all(
    select(candidates.c.sha, candidates.c.run).where(candidates.c.sha >= _BEGIN, candidates.c.sha < _END),
    select(_C.best_sha.label("sha"), _C.id.label("run")).where(_C.best_sha >= _BEGIN, _C.best_sha < _END),
).subquery("known")
_NEWEST = (
    select(
        *(_KNOWN.c.sha, _KNOWN.c.run, _C.created),
        func.row_number()
        .over(partition_by=_KNOWN.c.sha, order_by=(_C.created.desc(), _C.rowid.desc()))
        .label("place"),
    )
    .join(runs, and_(_C.id == _KNOWN.c.run, _SEEN))
    .subquery("newest")
)
_KERNELS = (
    select(_NEWEST.c.sha, _NEWEST.c.run)
    .where(_NEWEST.c.place == 1)
    .order_by(_NEWEST.c.created.desc(), _NEWEST.c.sha)
    .limit(bindparam("most"))
)
_WHERE = (_C.id, _C.state, _C.pid, _C.pid_started, _C.place, _C.beat)
_HEARD = select(func.max(events.c.time)).where(events.c.run == _C.id).scalar_subquery()
_STANDING = select(*_WHERE, func.coalesce(_HEARD, _C.created).label("heard"))
_UNFINISHED = _STANDING.where(_C.state != RunState.COMPLETED)
_OLDEST_FIRST = _STANDING.order_by(_C.created, _C.rowid)
_SINCE = and_(_SEEN, _C.created >= bindparam("since"))
_ASKED = select(*_WHERE, _C.request).where(_SINCE)
_TOKENS = (
    select(func.coalesce(func.sum(replies.c.tokens_in + replies.c.tokens_out), 0))
    .join(runs, replies.c.run == _C.id)
    .where(_SINCE)
)


class Runs:
    """Creates runs, says where they stand, and hands them from one process to the next."""

    def __init__(self, database: Database, tenant: str | None = None) -> None:
        """See the runs of one tenant only; of all where that is None."""
        self._database = database
        self._tenant = tenant

    def create(self, new: NewRun) -> str:
        """Store a run that this process owns, and return its id."""
        now = time.time()
        row = {
            **{"created": now, "request": new.request.model_dump_json(), "tenant": new.request.tenant},
            **{"task": new.task, "task_folder": str(new.task_folder), "task_sha": new.task_sha},
            **{"device": new.device, "isolation": new.isolation, "model": new.model, "seed": new.seed},
            **{"strategy": new.strategy, "kind": new.kind, "state": RunState.RUNNING, **_owned(now)},
        }
        with self._database.write("runs") as connection:
            run = _free_id(connection, new.task, now)
            connection.execute(insert(runs), {"id": run, **row})
        return run

    def get(self, run: str) -> Run:
        """Return a run; raise UsageError where there is none of that name."""
        with self._database.read() as connection:
            return _run(self._row(connection, run))

    def summaries(self, limit: int = 100) -> list[RunSummary]:
        """Return the latest runs, newest first."""
        with self._database.read() as connection:
            rows = connection.execute(_LIST, {"tenant": self._tenant, "most": limit}).mappings().all()
        return [_summary(row) for row in rows]

    def kernels(self, start: str, limit: int = 100) -> list[tuple[str, str]]:
        """Return sha and run of stored kernels whose sha begins so (hexadecimal digits), newest runs first."""
        values = {"tenant": self._tenant, "start": start, "end": f"{start}g", "most": limit}
        with self._database.read() as connection:
            return [(sha, run) for sha, run in connection.execute(_KERNELS, values)]

    def unfinished(self, since: float) -> set[str]:
        """Return the runs of all tenants that may go on: those at work, and those with an event since then."""
        with self._database.read() as connection:
            rows = connection.execute(_UNFINISHED).mappings().all()
        return {row["id"] for row in rows if row["heard"] >= since or _state(row) is RunState.RUNNING}

    def silent(self, before: float) -> list[str]:
        """Return the runs of all tenants that are not at work and had no event since then, the oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(_OLDEST_FIRST).mappings().all()
        return [row["id"] for row in rows if _is_silent(row, before)]

    def still_silent(self, connection: Connection, run: str, before: float) -> bool:
        """Whether a run is one of `silent`, in a transaction that writes to it."""
        row = connection.execute(_STANDING.where(_OF), {"of": run}).mappings().first()
        return row is not None and _is_silent(row, before)

    def take_over(self, run: str) -> Run:
        """Make this process the owner of a run and return it as it was.

        Raises:
            UsageError: There is no such run, or another process works on it.
        """
        with self._database.write(run) as connection:
            before = _run(self._row(connection, run))
            if before.state is RunState.RUNNING:
                msg = f"run {run} is still at work in another process; cancel it first, or watch it"
                raise UsageError(msg)
            if before.state is not RunState.COMPLETED:
                fresh = {"state": RunState.RUNNING, "stopped": None, "error": "", "cancel_asked": 0}
                connection.execute(_SET, {"of": run, **fresh, **_owned(time.time())})
        return before

    def add_seconds(self, run: str, seconds: float) -> None:
        """Add to the time that a run has worked."""
        with self._database.write(run) as connection:
            connection.execute(_WORKED, {"of": run, "more": seconds})

    def beat(self, run: str) -> None:
        """Say that this process still works on a run: other machines do not see whether it lives."""
        with self._database.write(run) as connection:
            connection.execute(_SET, {"of": run, "beat": time.time()})

    def end(self, run: str, state: RunState, stopped: Stop, *, seconds: float, error: str = "") -> None:
        """Record how a run ended; `seconds` is the work on it that was not added before."""
        said = {"state": state, "stopped": stopped, "error": error}
        with self._database.write(run) as connection:
            connection.execute(_WORKED, {"of": run, "more": seconds, **said})

    def mark_cancelled(self, run: str) -> RunState:
        """Ask a run to stop, wherever it works; return its state: RUNNING until its process notices."""
        with self._database.write(run) as connection:
            state = _run(self._row(connection, run)).state
            if state is RunState.RUNNING:
                connection.execute(_SET, {"of": run, "cancel_asked": 1})
            elif state is RunState.INTERRUPTED:
                state = RunState.CANCELLED
                connection.execute(_SET, {"of": run, "state": state, "stopped": Stop.CANCELLED})
        return state

    def cancel_asked(self, run: str) -> bool:
        """Whether someone asked this run to stop."""
        with self._database.read() as connection:
            return bool(self._row(connection, run)["cancel_asked"])

    def keep_baseline(self, run: str, report: CheckReport) -> None:
        """Store the judgement on the task's baseline."""
        architecture = "" if report.compile is None else report.compile.architecture
        said = {"baseline_report": dump_report(report), "architecture": architecture}
        with self._database.write(run) as connection:
            connection.execute(_SET, {"of": run, **said})

    def baseline(self, run: str) -> CheckReport | None:
        """Return the judgement on the task's baseline; None before it was judged."""
        with self._database.read() as connection:
            text = self._row(connection, run, _BASELINE)["baseline_report"]
        return None if text is None else load_report(text)

    def spent(self, since: float) -> Spending:
        """Return what this tenant's runs have used; runs that began before `since` do not count."""
        with self._database.read() as connection:
            values = {"tenant": self._tenant, "since": since}
            rows = connection.execute(_ASKED, values).mappings().all()
            tokens = connection.execute(_TOKENS, values).scalar_one()
        requests = [SearchRequest.model_validate_json(row["request"]) for row in rows]
        return Spending(
            running=sum(_state(row) is RunState.RUNNING for row in rows),
            candidates=sum(request.candidates * request.depth for request in requests),
            model_tokens=tokens,
        )

    def _row(self, connection: Connection, run: str, query: Select[*tuple[Any, ...]] = _ONE) -> RowMapping:
        found = connection.execute(query, {"of": run, "tenant": self._tenant}).mappings().first()
        if found is None:
            msg = f"no run named {run[:200]!r}; `warpwright runs` lists them"
            raise UsageError(msg)
        return found


def _owned(now: float) -> dict[str, object]:
    """Return what a row says of a run that this process owns."""
    owner = this_process()
    return {"pid": owner.pid, "pid_started": owner.started, "place": owner.place, "beat": now}


def _free_id(connection: Connection, task: str, now: float) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", task.lower()).strip("-")[:40] or "run"
    day = datetime.fromtimestamp(now).astimezone().strftime("%Y%m%d")
    while True:
        run = f"{name}-{day}-{secrets.token_hex(2)}"
        if connection.execute(_IS_THERE, {"of": run}).first() is None:
            return run


def _state(row: RowMapping) -> RunState:
    state = RunState(row["state"])
    owner = Owner(row["pid"], row["pid_started"], row["place"])
    return RunState.INTERRUPTED if state is RunState.RUNNING and not owner.lives(row["beat"]) else state


def _is_silent(row: RowMapping, before: float) -> bool:
    return row["heard"] < before and _state(row) is not RunState.RUNNING


def _stopped(row: RowMapping) -> Stop | None:
    return None if row["stopped"] is None else Stop(row["stopped"])


def _run(row: RowMapping) -> Run:
    return Run(
        request=SearchRequest.model_validate_json(row["request"]),
        task=row["task"],
        task_folder=Path(row["task_folder"]),
        task_sha=row["task_sha"],
        device=row["device"],
        isolation=row["isolation"],
        model=row["model"],
        seed=row["seed"],
        strategy=row["strategy"],
        kind=row["kind"],
        id=row["id"],
        created=row["created"],
        state=_state(row),
        stopped=_stopped(row),
        error=row["error"],
        seconds=row["seconds"],
    )


def _summary(row: RowMapping) -> RunSummary:
    return RunSummary(
        run=row["id"],
        task=row["task"],
        device=row["device"],
        model=row["model"],
        state=_state(row),
        stopped=_stopped(row),
        created=datetime.fromtimestamp(row["created"], UTC),
        rounds=row["rounds"],
        candidates=row["judged"],
        best_latency_us=row["latency_us"],
        provenance=Provenance(row["provenance"]),
        speedup=row["speedup"],
        error=row["error"],
    )
