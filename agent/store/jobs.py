"""The table of jobs: work that outlives the call that asked for it, and who does it."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from dataclasses import dataclass
from enum import StrEnum

from agent.store.database import Database
from agent.store.liveness import Owner, this_process
from sandbox.errors import UsageError

SILENT_S = 60.0
"""A job whose process said nothing for so long is taken for interrupted, whatever its process id says."""
JUDGEMENT = "judgement"
"""The kind of a job that a server does itself, for the toolbox of another machine."""
_KEPT_S = 7 * 24 * 3600.0
_ENDED = "state IN ('completed', 'failed', 'cancelled')"


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """Its process is gone."""

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self not in (JobState.WAITING, JobState.RUNNING)


class JobProblem(StrEnum):
    """Whose fault a failure is."""

    USAGE = "usage"
    """Of what was given."""
    MISSING = "missing"
    """Of a machine that lacks something."""
    WORKER = "worker"
    """Of the environment."""


@dataclass(frozen=True)
class NewJob:
    """What is asked for.

    Attributes:
        kind: search, resume, judgement, or the kind of an order on one kernel.
        request: JSON that says the rest.
        device: Where the work is done.
        tenant: Whose job it is; empty for this machine's own.
    """

    kind: str
    request: str
    device: str
    tenant: str = ""


@dataclass(frozen=True)
class Job(NewJob):
    """A stored job; `run` is the search's name once it has one, `answer` is JSON once the job completed.

    `error` says why it failed, or what it does while it runs; `problem` whose fault a failure is, where that is
    known.
    """

    id: str = ""
    state: JobState = JobState.WAITING
    run: str | None = None
    answer: str | None = None
    error: str = ""
    problem: JobProblem | None = None
    created: float = 0.0


class JobTable:
    """Takes jobs in, hands them to whoever does them, and says where they stand."""

    def __init__(self, database: Database, tenant: str | None = None) -> None:
        """See the jobs of one tenant only; of all where that is None."""
        self._database = database
        self._tenant = tenant

    def add(self, new: NewJob, *, most: int, kinds: tuple[str, ...]) -> str:
        """Store a job that waits for a supervisor and return its id.

        Args:
            new: What is asked for.
            most: Jobs of these kinds that may wait or run at a time.
            kinds: The kinds that are counted.

        Raises:
            UsageError: There are as many already.
        """
        with self._database.write() as connection:
            connection.execute(f"DELETE FROM jobs WHERE created < ? AND {_ENDED}", (time.time() - _KEPT_S,))
            _refuse_more(connection, kinds, most)
            return _insert(connection, new)

    def begin(self, new: NewJob, *, most: int) -> Job:
        """Store a job that this process does itself, at once.

        Args:
            new: What is asked for.
            most: Jobs of this kind and tenant that may be at work at a time.

        Raises:
            UsageError: There are as many already.
        """
        with self._database.write() as connection:
            _forget_lost(connection, new.kind)
            _refuse_more(connection, (new.kind,), most, new.tenant)
            return _take(connection, _insert(connection, new))

    def adopt(self, new: NewJob, *, most: int) -> Job:
        """Store a job whose work is under way in this process.

        Args:
            new: What was asked for.
            most: Jobs of this tenant, whatever their kind, that may be at work in this process at a time.

        Raises:
            UsageError: There are as many already.
        """
        with self._database.write() as connection:
            owner = this_process()
            rows = connection.execute(
                "SELECT * FROM jobs WHERE state = 'running' AND tenant = ? AND pid = ? AND pid_started = ?",
                (new.tenant, owner.pid, owner.started),
            ).fetchall()
            if len(rows) >= most:
                raise UsageError(f"{most} jobs are at work already; wait until one ends, or cancel one")
            return _take(connection, _insert(connection, new))

    def leave(self, job: str) -> None:
        """Let a supervisor do a job that this process took and cannot end."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'waiting', error = '', pid = 0 WHERE id = ? AND state = 'cancelled'"
                " AND cancel_asked = 0",
                (job,),
            )

    def said(self, job: str, text: str) -> None:
        """Record what a running job does; where it ends, how it ended takes that place."""
        with self._database.write() as connection:
            connection.execute("UPDATE jobs SET error = ? WHERE id = ? AND state = 'running'", (text, job))

    def forget(self, job: str) -> None:
        """Remove a job that nobody will ask for again."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM jobs WHERE id = ?", (job,))

    def claim(self) -> Job | None:
        """Make this process the one that does the oldest waiting job; None where none waits."""
        with self._database.write() as connection:
            row = connection.execute(
                "SELECT id FROM jobs WHERE state = 'waiting' ORDER BY created, rowid LIMIT 1"
            ).fetchone()
            return None if row is None else _take(connection, row["id"])

    def any_waits(self) -> bool:
        """Whether a job waits for a supervisor; takes no lock."""
        with self._database.read() as connection:
            return (
                connection.execute("SELECT 1 FROM jobs WHERE state = 'waiting' LIMIT 1").fetchone()
                is not None
            )

    def get(self, job: str) -> Job:
        """Return a job; raise UsageError where there is none of that id."""
        with self._database.read() as connection:
            return _job(self._row(connection, job))

    def began(self, job: str, run: str) -> None:
        """Record the name of the run that a job works on."""
        with self._database.write() as connection:
            connection.execute("UPDATE jobs SET run = ? WHERE id = ?", (run, job))

    def end(
        self,
        job: str,
        state: JobState,
        *,
        answer: str | None = None,
        error: str = "",
        problem: JobProblem | None = None,
    ) -> None:
        """Record how a job ended."""
        kept = answer if problem is None else json.dumps({"problem": problem})
        with self._database.write() as connection:
            connection.execute(
                "UPDATE jobs SET state = ?, answer = ?, error = ? WHERE id = ?", (state, kept, error, job)
            )

    def cancel(self, job: str) -> None:
        """Ask a job to stop; one that still waits is cancelled at once, one that ended stays as it is."""
        with self._database.write() as connection:
            self._row(connection, job)
            connection.execute(
                "UPDATE jobs SET state = 'cancelled' WHERE id = ? AND state = 'waiting'", (job,)
            )
            connection.execute("UPDATE jobs SET cancel_asked = 1 WHERE id = ?", (job,))

    def cancel_run(self, run: str) -> None:
        """Ask whatever job works on a run to stop."""
        with self._database.write() as connection:
            connection.execute("UPDATE jobs SET cancel_asked = 1 WHERE run = ? AND state = 'running'", (run,))

    def cancels_asked(self) -> set[str]:
        """Return the running jobs that someone asked to stop."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT id FROM jobs WHERE state = 'running' AND cancel_asked = 1"
            ).fetchall()
        return {row["id"] for row in rows}

    def beat(self) -> None:
        """Say that this process still works on its jobs."""
        owner = this_process()
        with self._database.write() as connection:
            connection.execute(
                "UPDATE jobs SET beat = ? WHERE state = 'running' AND pid = ? AND pid_started = ?",
                (time.time(), owner.pid, owner.started),
            )

    def _row(self, connection: sqlite3.Connection, job: str) -> sqlite3.Row:
        row = connection.execute(
            "SELECT * FROM jobs WHERE id = ? AND tenant = coalesce(?, tenant)", (job, self._tenant)
        ).fetchone()
        if row is None:
            raise UsageError(f"no job {job!r}")
        return row


def _insert(connection: sqlite3.Connection, new: NewJob) -> str:
    """Add a job that waits and return its id."""
    job = f"job-{secrets.token_hex(6)}"
    connection.execute(
        "INSERT INTO jobs (id, kind, request, device, tenant, state, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (job, new.kind, new.request, new.device, new.tenant, JobState.WAITING, time.time()),
    )
    return job


def _take(connection: sqlite3.Connection, job: str) -> Job:
    """Make a job this process's own."""
    owner = this_process()
    row = connection.execute(
        "UPDATE jobs SET state = 'running', pid = ?, pid_started = ?, beat = ? WHERE id = ? RETURNING *",
        (owner.pid, owner.started, time.time(), job),
    ).fetchone()
    return _job(row)


def _refuse_more(
    connection: sqlite3.Connection, kinds: tuple[str, ...], most: int, tenant: str | None = None
) -> None:
    """Raise UsageError where so many jobs of these kinds, of one tenant or of all, wait or run."""
    rows = connection.execute("SELECT * FROM jobs WHERE state IN ('waiting', 'running')").fetchall()
    busy = [row for row in rows if row["kind"] in kinds and tenant in (None, row["tenant"])]
    if sum(not _state(row).ended for row in busy) >= most:
        raise UsageError(f"{most} jobs like this are at work already; wait until one ends, or cancel one")


def _forget_lost(connection: sqlite3.Connection, kind: str) -> None:
    """Remove the jobs of a kind that processes left behind which are gone: nobody can ask for them any more."""
    rows = connection.execute("SELECT * FROM jobs WHERE kind = ? AND pid != 0", (kind,)).fetchall()
    gone = [(row["id"],) for row in rows if not Owner(row["pid"], row["pid_started"]).alive]
    connection.executemany("DELETE FROM jobs WHERE id = ?", gone)


def _state(row: sqlite3.Row) -> JobState:
    state = JobState(row["state"])
    if state is not JobState.RUNNING:
        return state
    alive = Owner(row["pid"], row["pid_started"]).alive and time.time() - row["beat"] < SILENT_S
    return state if alive else JobState.INTERRUPTED


def _job(row: sqlite3.Row) -> Job:
    state = _state(row)
    failed = state is JobState.FAILED and row["answer"] is not None
    return Job(
        kind=row["kind"],
        request=row["request"],
        device=row["device"],
        tenant=row["tenant"],
        id=row["id"],
        state=state,
        run=row["run"],
        answer=row["answer"] if state is JobState.COMPLETED else None,
        error=row["error"],
        problem=JobProblem(json.loads(row["answer"])["problem"]) if failed else None,
        created=row["created"],
    )
