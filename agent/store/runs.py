"""The table of runs."""

from __future__ import annotations

import re
import secrets
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

from agent.results import RunState, SearchRequest, Stop
from agent.store.database import Database
from agent.store.liveness import Owner, this_process
from agent.store.records import NewRun, Run, RunSummary, Spending, dump_report, load_report
from sandbox.errors import UsageError
from sandbox.verdict import Provenance
from tools.reports import CheckReport

_LIST = """
SELECT runs.*, best.latency_us, best.speedup, coalesce(best.provenance, 'estimated') AS provenance,
       (SELECT coalesce(max(round), 0) FROM candidates WHERE run = runs.id) AS rounds,
       (SELECT count(*) FROM candidates WHERE run = runs.id AND round > 0 AND verdict IS NOT NULL) AS judged
FROM runs LEFT JOIN candidates AS best
  ON best.run = runs.id AND best.round = runs.best_round AND best.candidate = runs.best_candidate
WHERE runs.tenant = coalesce(?, runs.tenant)
ORDER BY runs.created DESC, runs.rowid DESC LIMIT ?
"""

_KERNELS = """
SELECT sha, run, max(created) FROM (
    SELECT sha, run FROM candidates UNION ALL SELECT best_sha, id FROM runs
) AS known JOIN runs ON runs.id = known.run AND runs.tenant = coalesce(?, runs.tenant)
WHERE sha GLOB ? || '*' GROUP BY sha ORDER BY max(created) DESC, sha LIMIT ?
"""

_UNFINISHED = """
SELECT runs.*, coalesce((SELECT max(time) FROM events WHERE run = runs.id), created) AS heard
FROM runs WHERE state != ?
"""


class Runs:
    """Creates runs, says where they stand, and hands them from one process to the next."""

    def __init__(self, database: Database, tenant: str | None = None) -> None:
        """See the runs of one tenant only; of all where that is None."""
        self._database = database
        self._tenant = tenant

    def create(self, new: NewRun) -> str:
        """Store a run that this process owns, and return its id."""
        owner, now = this_process(), time.time()
        with self._database.write() as connection:
            run = _free_id(connection, new.task, now)
            connection.execute(
                "INSERT INTO runs (id, created, request, task, task_folder, task_sha, device, isolation,"
                " model, seed, state, pid, pid_started, tenant, strategy, kind)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(run, now, new.request.model_dump_json(), new.task, str(new.task_folder), new.task_sha),
                    *(new.device, new.isolation, new.model, new.seed),
                    *(RunState.RUNNING, owner.pid, owner.started, new.request.tenant),
                    *(new.strategy, new.kind),
                ),
            )
        return run

    def get(self, run: str) -> Run:
        """Return a run; raise UsageError where there is none of that name."""
        with self._database.read() as connection:
            return _run(self._row(connection, run))

    def summaries(self, limit: int = 100) -> list[RunSummary]:
        """Return the latest runs, newest first."""
        with self._database.read() as connection:
            rows = connection.execute(_LIST, (self._tenant, limit)).fetchall()
        return [_summary(row) for row in rows]

    def kernels(self, start: str, limit: int = 100) -> list[tuple[str, str]]:
        """Return sha and run of stored kernels whose sha begins so (hexadecimal digits), newest runs first."""
        with self._database.read() as connection:
            rows = connection.execute(_KERNELS, (self._tenant, start, limit)).fetchall()
        return [(row["sha"], row["run"]) for row in rows]

    def unfinished(self, since: float) -> set[str]:
        """Return the runs of all tenants that may go on: those at work, and those with an event since then."""
        with self._database.read() as connection:
            rows = connection.execute(_UNFINISHED, (RunState.COMPLETED,)).fetchall()
        return {row["id"] for row in rows if row["heard"] >= since or _state(row) is RunState.RUNNING}

    def take_over(self, run: str) -> Run:
        """Make this process the owner of a run and return it as it was.

        Raises:
            UsageError: There is no such run, or another process works on it.
        """
        owner = this_process()
        with self._database.write() as connection:
            before = _run(self._row(connection, run))
            if before.state is RunState.RUNNING:
                msg = f"run {run} is still at work in another process; cancel it first, or watch it"
                raise UsageError(msg)
            if before.state is not RunState.COMPLETED:
                connection.execute(
                    "UPDATE runs SET state = ?, stopped = NULL, error = '', cancel_asked = 0, pid = ?,"
                    " pid_started = ? WHERE id = ?",
                    (RunState.RUNNING, owner.pid, owner.started, run),
                )
        return before

    def add_seconds(self, run: str, seconds: float) -> None:
        """Add to the time that a run has worked."""
        with self._database.write() as connection:
            connection.execute("UPDATE runs SET seconds = seconds + ? WHERE id = ?", (seconds, run))

    def end(self, run: str, state: RunState, stopped: Stop, *, seconds: float, error: str = "") -> None:
        """Record how a run ended; `seconds` is the work on it that was not added before."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE runs SET state = ?, stopped = ?, error = ?, seconds = seconds + ? WHERE id = ?",
                (state, stopped, error, seconds, run),
            )

    def mark_cancelled(self, run: str) -> RunState:
        """Ask a run to stop, wherever it works; return its state: RUNNING until its process notices."""
        with self._database.write() as connection:
            state = _run(self._row(connection, run)).state
            if state is RunState.RUNNING:
                connection.execute("UPDATE runs SET cancel_asked = 1 WHERE id = ?", (run,))
            elif state is RunState.INTERRUPTED:
                state = RunState.CANCELLED
                connection.execute(
                    "UPDATE runs SET state = ?, stopped = ? WHERE id = ?", (state, Stop.CANCELLED, run)
                )
        return state

    def cancel_asked(self, run: str) -> bool:
        """Whether someone asked this run to stop."""
        with self._database.read() as connection:
            return bool(self._row(connection, run)["cancel_asked"])

    def keep_baseline(self, run: str, report: CheckReport) -> None:
        """Store the judgement on the task's baseline."""
        with self._database.write() as connection:
            architecture = "" if report.compile is None else report.compile.architecture
            connection.execute(
                "UPDATE runs SET baseline = ?, architecture = ? WHERE id = ?",
                (dump_report(report), architecture, run),
            )

    def baseline(self, run: str) -> CheckReport | None:
        """Return the judgement on the task's baseline; None before it was judged."""
        with self._database.read() as connection:
            text = self._row(connection, run)["baseline"]
        return None if text is None else load_report(text)

    def spent(self, since: float) -> Spending:
        """Return what this tenant's runs have used; runs that began before `since` do not count."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT * FROM runs WHERE tenant = coalesce(?, tenant) AND created >= ?",
                (self._tenant, since),
            ).fetchall()
            tokens = connection.execute(
                "SELECT coalesce(sum(tokens_in + tokens_out), 0) FROM replies JOIN runs ON replies.run = runs.id"
                " WHERE runs.tenant = coalesce(?, runs.tenant) AND runs.created >= ?",
                (self._tenant, since),
            ).fetchone()[0]
        requests = [SearchRequest.model_validate_json(row["request"]) for row in rows]
        return Spending(
            running=sum(_state(row) is RunState.RUNNING for row in rows),
            candidates=sum(request.candidates * request.depth for request in requests),
            model_tokens=tokens,
        )

    def _row(self, connection: sqlite3.Connection, run: str) -> sqlite3.Row:
        found = connection.execute(
            "SELECT * FROM runs WHERE id = ? AND tenant = coalesce(?, tenant)", (run, self._tenant)
        ).fetchone()
        if found is None:
            msg = f"no run named {run[:200]!r}; `warpwright runs` lists them"
            raise UsageError(msg)
        return found


def _free_id(connection: sqlite3.Connection, task: str, now: float) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", task.lower()).strip("-")[:40] or "run"
    day = datetime.fromtimestamp(now).astimezone().strftime("%Y%m%d")
    while True:
        run = f"{name}-{day}-{secrets.token_hex(2)}"
        if connection.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is None:
            return run


def _state(row: sqlite3.Row) -> RunState:
    state = RunState(row["state"])
    if state is RunState.RUNNING and not Owner(row["pid"], row["pid_started"]).alive:
        return RunState.INTERRUPTED
    return state


def _stopped(row: sqlite3.Row) -> Stop | None:
    return None if row["stopped"] is None else Stop(row["stopped"])


def _run(row: sqlite3.Row) -> Run:
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


def _summary(row: sqlite3.Row) -> RunSummary:
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
