"""What features earned in earlier runs, read from their candidates: a demoted kernel takes its credit along."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import RowMapping, Select, and_, bindparam, case, func, select, update

from agent.store.database import Database
from agent.store.tables import Words, candidates, replies, runs
from sandbox.verdict import Provenance, Verdict

LATEST = 200
"""Runs that a search begins with the credit of: what it takes to add it up must not grow with the store."""
_MINE = candidates.alias("mine")
_PARENT, _BASE = candidates.alias("parent"), candidates.alias("base")
_OF_BASE = and_(_BASE.c.run == _MINE.c.run, _BASE.c.round == 0)
# A gain is over the parent (the fastest of two that were merged), over the baseline where a candidate began afresh.
_BEFORE = func.coalesce(
    select(func.min(_PARENT.c.latency_us))
    .where(
        *(_PARENT.c.run == _MINE.c.run, _PARENT.c.verdict == Verdict.PASS),
        _PARENT.c.sha.in_([_MINE.c.parent, _MINE.c.other]),
    )
    .correlate(_MINE)
    .scalar_subquery(),
    select(_BASE.c.latency_us).where(_OF_BASE).correlate(_MINE).scalar_subquery(),
).label("before_us")
# A kernel that failed has no latency, and its failure may have been counted: it stands with its run's latencies.
_PROVENANCE = func.coalesce(
    case(
        (
            _MINE.c.latency_us.is_(None),
            select(_BASE.c.provenance).where(_OF_BASE).correlate(_MINE).scalar_subquery(),
        )
    ),
    _MINE.c.provenance,
).label("provenance")
_COUNTS = and_(
    *(_MINE.c.round > 0, _MINE.c.verdict.is_not(None), _MINE.c.lost == 0),
    _MINE.c.verdict.not_in([Verdict.UNDECIDED, Verdict.UNSUPPORTED]),
    runs.c.tenant == func.coalesce(bindparam("tenant", type_=Words), runs.c.tenant),
)
_LATEST_RUNS = (
    select(runs.c.id)
    .where(runs.c.tenant == func.coalesce(bindparam("tenant", type_=Words), runs.c.tenant))
    .order_by(runs.c.created.desc(), runs.c.rowid.desc())
    .limit(LATEST)
)
_JUDGED = (
    select(
        *(_MINE.c.run, _MINE.c.sha, _MINE.c.why, runs.c.kind, runs.c.architecture, _PROVENANCE),
        *(_MINE.c.verdict, _MINE.c.latency_us, _MINE.c.features, _MINE.c.without, _BEFORE),
    )
    .join(runs, runs.c.id == _MINE.c.run)
    .where(_COUNTS, _MINE.c.duplicate_of.is_(None), _MINE.c.sha.is_not(None))
    .where(runs.c.id.is_distinct_from(bindparam("without", type_=Words)))
)
_WROTE = (
    select(
        *(replies.c.run, replies.c.round, replies.c.candidate),
        *(func.max(replies.c.model).label("model"), func.max(replies.c.variant).label("variant")),
    )
    .where(replies.c.role == "coder", replies.c.model != "")
    .group_by(replies.c.run, replies.c.round, replies.c.candidate)
    .cte("wrote")
)
_WRITTEN = (
    select(
        *(_MINE.c.run, func.coalesce(_WROTE.c.model, runs.c.model).label("model")),
        *(
            _WROTE.c.run.is_not(None).label("asked"),
            _MINE.c.verdict,
            _MINE.c.latency_us,
            _PROVENANCE,
            _BEFORE,
        ),
        func.coalesce(func.nullif(_WROTE.c.variant, ""), "plain").label("prompt"),
    )
    .join(runs, runs.c.id == _MINE.c.run)
    .outerjoin(
        _WROTE,
        and_(
            *(_WROTE.c.run == _MINE.c.run, _WROTE.c.round == _MINE.c.round),
            _WROTE.c.candidate == _MINE.c.candidate,
        ),
    )
    .where(_COUNTS, _MINE.c.origin != "start")
)


def _told(judged: Select[*tuple[Any, ...]], *by: str) -> Select[*tuple[Any, ...]]:
    """Return what candidates that are alike in these columns come to, added up where they lie.

    An offset of nothing keeps both engines from asking for a candidate's parents once for each sum.
    """
    of = judged.offset(0).subquery("judged").c
    passed = of.verdict == Verdict.PASS
    timed = and_(passed, of.latency_us > 0, of.before_us > 0)
    columns = *(of[name] for name in by), case((passed, 1), else_=0).label("passed")
    return select(
        *columns,
        func.count().label("tries"),
        *(
            func.sum(case((which, 1), else_=0)).label(name)
            for name, which in (
                ("timed", timed),
                ("gained", and_(timed, of.before_us > of.latency_us)),
                ("lost", and_(timed, of.before_us < of.latency_us)),
            )
        ),
        func.coalesce(func.sum(case((timed, func.ln(of.before_us / of.latency_us)))), 0.0).label("log_gain"),
    ).group_by(*columns)


_ALIKE = ("kind", "architecture", "provenance", "features", "without")
_ADDED_UP = _told(_JUDGED, *_ALIKE)
_ADDED_UP_LATELY = _told(_JUDGED.where(runs.c.id.in_(_LATEST_RUNS)), *_ALIKE)
_TALLIED = _told(_WRITTEN, "run", "model", "asked", "prompt", "provenance")
_EXAMPLES = _JUDGED.where(_MINE.c.verdict == Verdict.PASS, _MINE.c.latency_us > 0)
_BEGAN_WITH = select(runs.c.credit).where(runs.c.id == bindparam("of"))
_BEGIN_WITH = update(runs).where(runs.c.id == bindparam("of"))


@dataclass(frozen=True)
class Earned:
    """What a feature has earned, on one kind of task, one architecture, by one provenance of latencies.

    Attributes:
        tries: Candidates that were to try it and were judged, each kernel once; and correct ones that left it out.
        correct: Of these, the ones that passed.
        improved: Of these, the ones that were faster with it than without, be it before them or after.
        log_gain: Sum over the correct ones of log(latency without it / latency with it), shared among all features
            that a candidate put in or left out.
    """

    feature: str
    kind: str
    architecture: str
    provenance: Provenance
    tries: int = 0
    correct: int = 0
    improved: int = 0
    log_gain: float = 0.0

    @property
    def gain(self) -> float | None:
        """The geometric mean of the gains of correct candidates, as a ratio of latencies."""
        return math.exp(self.log_gain / self.correct) if self.correct else None


@dataclass(frozen=True)
class Example:
    """A correct kernel that was to try a feature.

    Attributes:
        why: What its planner said of it.
        gain: Latency built on over latency.
    """

    run: str
    sha: str
    why: str
    gain: float


@dataclass(frozen=True)
class WriterTally:
    """How the candidates of one model, or those that were asked for in one way, did: in all runs that may be seen.

    Attributes:
        name: Of the model, or of the way of asking.
        provenance: Of the latencies that gains are taken of.
        runs: In how many runs.
        tries: Candidates that were judged.
        correct: Of these, the ones that passed.
        improved: Of these, the ones that were faster than what they built on.
        log_gain: Sum over the correct ones of log(latency built on / latency).
    """

    name: str
    provenance: Provenance
    runs: int
    tries: int
    correct: int
    improved: int
    log_gain: float

    @property
    def gain(self) -> float | None:
        """The geometric mean of the gains of correct candidates, as a ratio of latencies."""
        return math.exp(self.log_gain / self.correct) if self.correct else None


_EARNED = TypeAdapter(tuple[Earned, ...])


class Credits:
    """Gains of features over all runs that may be seen."""

    def __init__(self, database: Database, tenant: str | None = None) -> None:
        """See the runs of one tenant only; of all where that is None."""
        self._database = database
        self._tenant = tenant

    def earned(self, *, without: str | None = None, tenant: str | None = None) -> tuple[Earned, ...]:
        """Return what every feature has earned, but for one run's part; by name, kind and architecture."""
        return self._added_up(_ADDED_UP, tenant, without)

    def latest(self, *, without: str | None = None, tenant: str | None = None) -> tuple[Earned, ...]:
        """Return what every feature has earned in the latest runs that may be seen; `LATEST` says how many."""
        return self._added_up(_ADDED_UP_LATELY, tenant, without)

    def _added_up(
        self, query: Select[*tuple[Any, ...]], tenant: str | None, without: str | None
    ) -> tuple[Earned, ...]:
        found: dict[tuple[str, str, str, str], Earned] = {}
        seen = self._tenant if tenant is None else tenant
        for row in self._rows(query, tenant=seen, without=without):
            put_in, left_out = json.loads(row["features"]), json.loads(row["without"])
            # What a kernel loses by a feature that is taken out is what that feature is worth; a failure says
            # nothing of it.
            told = left_out if row["passed"] else ()
            for feature, sign in (*((one, 1) for one in put_in), *((one, -1) for one in told)):
                key = (feature, row["kind"], row["architecture"], row["provenance"])
                so_far = found.get(key) or Earned(*key[:3], Provenance(row["provenance"]))
                found[key] = _with(so_far, row, sign, len(put_in) + len(left_out))
        return tuple(found[key] for key in sorted(found))

    def examples(self, feature: str) -> list[Example]:
        """Return the correct kernels that were to try a feature, the one that gained most first."""
        rows = self._rows(_EXAMPLES, tenant=self._tenant, without=None)
        found = [
            Example(row["run"], row["sha"], row["why"], row["before_us"] / row["latency_us"])
            for row in rows
            if row["before_us"] and feature in json.loads(row["features"])
        ]
        return sorted(found, key=lambda one: -one.gain)

    def models(self) -> list[WriterTally]:
        """Return how each model's candidates did, the most used first; the composer is one of them."""
        return self.writers()[0]

    def prompts(self) -> list[WriterTally]:
        """Return how candidates did by the way in which their coders were asked, the most used first."""
        return self.writers()[1]

    def writers(self) -> tuple[list[WriterTally], list[WriterTally]]:
        """Return `models` and `prompts`, for which candidates are gone through once."""
        rows = self._rows(_TALLIED, tenant=self._tenant)
        return _tallied("model", rows), _tallied("prompt", [row for row in rows if row["asked"]])

    def _rows(self, query: Select[*tuple[Any, ...]], **values: str | None) -> Sequence[RowMapping]:
        with self._database.read() as connection:
            return connection.execute(query, values).mappings().all()

    def of_run(self, run: str, tenant: str) -> tuple[Earned, ...]:
        """Return the credit that a run began with; it stays what it was, whatever other runs earn meanwhile."""
        with self._database.read() as connection:
            text = connection.execute(_BEGAN_WITH, {"of": run}).scalar_one()
        if text is not None:
            return _EARNED.validate_json(text)
        found = self.latest(without=run, tenant=tenant)
        with self._database.write(run) as connection:
            connection.execute(_BEGIN_WITH, {"of": run, "credit": _EARNED.dump_json(found).decode()})
        return found


def _with(so_far: Earned, row: RowMapping, sign: int, shared: int) -> Earned:
    """Add what candidates that are alike say of a feature that they put in (1) or left out (-1)."""
    return replace(
        so_far,
        tries=so_far.tries + row["tries"],
        correct=so_far.correct + row["timed"],
        improved=so_far.improved + (row["gained"] if sign > 0 else row["lost"]),
        log_gain=so_far.log_gain + sign * row["log_gain"] / shared,
    )


def _tallied(column: str, rows: Iterable[RowMapping]) -> list[WriterTally]:
    groups = defaultdict[tuple[str, str], list[RowMapping]](list)
    for row in rows:
        groups[row[column], row["provenance"]].append(row)
    found = [_tally(*key, group) for key, group in groups.items()]
    return sorted(found, key=lambda one: (-one.tries, one.name))


def _tally(name: str, provenance: str, rows: Sequence[RowMapping]) -> WriterTally:
    return WriterTally(
        name=name,
        provenance=Provenance(provenance),
        runs=len({row["run"] for row in rows}),
        tries=sum(row["tries"] for row in rows),
        correct=sum(row["tries"] for row in rows if row["passed"]),
        improved=sum(row["gained"] for row in rows),
        log_gain=sum(row["log_gain"] for row in rows),
    )
