"""The table of jobs: work that outlives the call that asked for it, and who does it."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, RowMapping, and_, bindparam, delete, func, insert, literal, select, update

from agent.store.database import Database
from agent.store.liveness import SILENT_S, Owner, this_process
from agent.store.tables import Words, jobs
from sandbox.errors import UsageError
from tools.order_problem import OrderProblem

JUDGEMENT = "judgement"
"""The kind of a job that a server does itself, for the toolbox of another machine."""
_KEPT_S = 7 * 24 * 3600.0


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


_J = jobs.c
_TABLE = "jobs"
_OF = _J.id == bindparam("of")
_ONE = select(jobs).where(_OF, _J.tenant == func.coalesce(bindparam("whose", type_=Words), _J.tenant))
_SET = update(jobs).where(_OF)
_RUNNING, _WAITS = _J.state == JobState.RUNNING, _J.state == JobState.WAITING
_ENDED = _J.state.in_([JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED])
_FORGET_OLD = delete(jobs).where(_ENDED, _J.created < bindparam("before"))
_FORGET = delete(jobs).where(_OF)
_OLDEST = select(_J.id).where(_WAITS).order_by(_J.created, _J.rowid).limit(1)
_ANY_WAITS = select(literal(1)).where(_WAITS).limit(1)
_BUSY = select(jobs).where(_WAITS | _RUNNING)
_STARTED = select(jobs).where(_J.kind == bindparam("of_kind"), _J.pid != 0)
_BY = and_(
    *(_J.pid == bindparam("by"), _J.pid_started == bindparam("by_started"), _J.place == bindparam("by_place"))
)
_AT_WORK = select(func.count()).where(_RUNNING, _BY, _J.tenant == bindparam("whose"))
_LEAVE = (
    update(jobs)
    .where(_OF, _J.state == JobState.CANCELLED, _J.cancel_asked == 0)
    .values(state=JobState.WAITING, error="", pid=0)
)
_SAID = update(jobs).where(_OF, _RUNNING)
_CANCEL_WAITING = update(jobs).where(_OF, _WAITS).values(state=JobState.CANCELLED)
_CANCEL_RUN = update(jobs).where(_J.run == bindparam("of"), _RUNNING).values(cancel_asked=1)
_WITHDRAW_RUN = update(jobs).where(_J.run == bindparam("of"), _WAITS).values(state=JobState.CANCELLED)
_RUN_WAITS = select(literal(1)).where(_WAITS, _J.run == bindparam("of")).limit(1)
_CANCELS = select(_J.id).where(_RUNNING, _J.cancel_asked == 1)
_BEAT = update(jobs).where(_RUNNING, _BY)


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
    problem: OrderProblem | None = None
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
            most: Jobs of these kinds that may wait anywhere, or run on this machine, at a time.
            kinds: The kinds that are counted.

        Raises:
            UsageError: There are as many already.
        """
        with self._database.write(_TABLE) as connection:
            connection.execute(_FORGET_OLD, {"before": time.time() - _KEPT_S})
            _refuse_more(connection, kinds, most, elsewhere=False)
            return _insert(connection, new)

    def begin(self, new: NewJob, *, most: int) -> Job:
        """Store a job that this process does itself, at once.

        Args:
            new: What is asked for.
            most: Jobs of this kind and tenant that may be at work at a time.

        Raises:
            UsageError: There are as many already.
        """
        with self._database.write(_TABLE) as connection:
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
        with self._database.write(_TABLE) as connection:
            at_work = connection.execute(_AT_WORK, {"whose": new.tenant, **_by_this()}).scalar_one()
            if at_work >= most:
                raise UsageError(f"{most} jobs are at work already; wait until one ends, or cancel one")
            return _take(connection, _insert(connection, new))

    def leave(self, job: str) -> None:
        """Let a supervisor do a job that this process took and cannot end."""
        with self._database.write(_TABLE) as connection:
            connection.execute(_LEAVE, {"of": job})

    def said(self, job: str, text: str) -> None:
        """Record what a running job does; where it ends, how it ended takes that place."""
        with self._database.write(_TABLE) as connection:
            connection.execute(_SAID, {"of": job, "error": text})

    def forget(self, job: str) -> None:
        """Remove a job that nobody will ask for again."""
        with self._database.write(_TABLE) as connection:
            connection.execute(_FORGET, {"of": job})

    def claim(self) -> Job | None:
        """Make this process the one that does the oldest waiting job; None where none waits."""
        with self._database.write(_TABLE) as connection:
            job = connection.execute(_OLDEST).scalar()
            return None if job is None else _take(connection, job)

    def any_waits(self) -> bool:
        """Whether a job waits for a supervisor; takes no lock."""
        with self._database.read() as connection:
            return connection.execute(_ANY_WAITS).first() is not None

    def get(self, job: str) -> Job:
        """Return a job; raise UsageError where there is none of that id."""
        with self._database.read() as connection:
            return _job(self._row(connection, job))

    def began(self, job: str, run: str) -> None:
        """Record the name of the run that a job works on."""
        with self._database.write(_TABLE) as connection:
            connection.execute(_SET, {"of": job, "run": run})

    def end(
        self,
        job: str,
        state: JobState,
        *,
        answer: str | None = None,
        error: str = "",
        problem: OrderProblem | None = None,
    ) -> None:
        """Record how a job ended."""
        kept = answer if problem is None else json.dumps({"problem": problem})
        with self._database.write(_TABLE) as connection:
            connection.execute(_SET, {"of": job, "state": state, "answer": kept, "error": error})

    def cancel(self, job: str) -> None:
        """Ask a job to stop; one that still waits is cancelled at once, one that ended stays as it is."""
        with self._database.write(_TABLE) as connection:
            self._row(connection, job)
            connection.execute(_CANCEL_WAITING, {"of": job})
            connection.execute(_SET, {"of": job, "cancel_asked": 1})

    def cancel_run(self, run: str) -> None:
        """Ask whatever job works on a run to stop; one that waits to is cancelled at once."""
        with self._database.write(_TABLE) as connection:
            connection.execute(_WITHDRAW_RUN, {"of": run})
            connection.execute(_CANCEL_RUN, {"of": run})

    def withdraw_run(self, run: str) -> None:
        """Cancel a job that waits to work on a run; nothing where none does."""
        if self.run_waits(run):
            with self._database.write(_TABLE) as connection:
                connection.execute(_WITHDRAW_RUN, {"of": run})

    def run_waits(self, run: str) -> bool:
        """Whether a job waits for a supervisor that goes on with a run; takes no lock."""
        with self._database.read() as connection:
            return connection.execute(_RUN_WAITS, {"of": run}).first() is not None

    def cancels_asked(self) -> set[str]:
        """Return the running jobs that someone asked to stop."""
        with self._database.read() as connection:
            return set(connection.execute(_CANCELS).scalars())

    def beat(self) -> None:
        """Say that this process still works on its jobs."""
        with self._database.write(_TABLE) as connection:
            connection.execute(_BEAT, {"beat": time.time(), **_by_this()})

    def _row(self, connection: Connection, job: str) -> RowMapping:
        row = connection.execute(_ONE, {"of": job, "whose": self._tenant}).mappings().first()
        if row is None:
            raise UsageError(f"no job {job!r}")
        return row


def _insert(connection: Connection, new: NewJob) -> str:
    """Add a job that waits and return its id."""
    job = f"job-{secrets.token_hex(6)}"
    row = {"kind": new.kind, "request": new.request, "device": new.device, "tenant": new.tenant}
    connection.execute(insert(jobs), {"id": job, **row, "state": JobState.WAITING, "created": time.time()})
    return job


def _take(connection: Connection, job: str) -> Job:
    """Make a job this process's own."""
    owner = this_process()
    mine = {"pid": owner.pid, "pid_started": owner.started, "place": owner.place, "beat": time.time()}
    connection.execute(_SET, {"of": job, "state": JobState.RUNNING, **mine})
    return _job(connection.execute(_ONE, {"of": job, "whose": None}).mappings().one())


def _by_this() -> dict[str, object]:
    owner = this_process()
    return {"by": owner.pid, "by_started": owner.started, "by_place": owner.place}


def _refuse_more(
    connection: Connection,
    kinds: tuple[str, ...],
    most: int,
    tenant: str | None = None,
    *,
    elsewhere: bool = True,
) -> None:
    """Raise UsageError where so many jobs of these kinds, of one tenant or of all, wait or run.

    Those that run on other machines count where `elsewhere` says so.
    """
    rows = connection.execute(_BUSY).mappings().all()
    busy = [row for row in rows if row["kind"] in kinds and tenant in (None, row["tenant"])]
    if not elsewhere:
        busy = [row for row in busy if Owner(row["pid"], row["pid_started"], row["place"]).here]
    if sum(not _state(row).ended for row in busy) >= most:
        raise UsageError(f"{most} jobs like this are at work already; wait until one ends, or cancel one")


def _forget_lost(connection: Connection, kind: str) -> None:
    """Remove the jobs of a kind that processes left behind which are gone: nobody can ask for them any more."""
    for row in connection.execute(_STARTED, {"of_kind": kind}).mappings().all():
        if not Owner(row["pid"], row["pid_started"], row["place"]).lives(row["beat"]):
            connection.execute(_FORGET, {"of": row["id"]})


def _state(row: RowMapping) -> JobState:
    state = JobState(row["state"])
    if state is not JobState.RUNNING:
        return state
    # Whatever its process id says: one that hangs does nothing either.
    heard = time.time() - row["beat"] < SILENT_S
    alive = heard and Owner(row["pid"], row["pid_started"], row["place"]).lives(row["beat"])
    return state if alive else JobState.INTERRUPTED


def _job(row: RowMapping) -> Job:
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
        problem=OrderProblem(json.loads(row["answer"])["problem"]) if failed else None,
        created=row["created"],
    )
