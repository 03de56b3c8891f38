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
_JUDGED_LATELY = _JUDGED.where(runs.c.id.in_(_LATEST_RUNS))
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
        return self._added_up(_JUDGED, tenant, without)

    def latest(self, *, without: str | None = None, tenant: str | None = None) -> tuple[Earned, ...]:
        """Return what every feature has earned in the latest runs that may be seen; `LATEST` says how many."""
        return self._added_up(_JUDGED_LATELY, tenant, without)

    def _added_up(
        self, query: Select[*tuple[Any, ...]], tenant: str | None, without: str | None
    ) -> tuple[Earned, ...]:
        found: dict[tuple[str, str, str, str], Earned] = {}
        for row in self._judged(query, self._tenant if tenant is None else tenant, without):
            put_in, left_out = json.loads(row["features"]), json.loads(row["without"])
            # What a kernel loses by a feature that is taken out is what that feature is worth; a failure says
            # nothing of it.
            told = left_out if row["verdict"] == Verdict.PASS else ()
            for feature, sign in (*((one, 1) for one in put_in), *((one, -1) for one in told)):
                key = (feature, row["kind"], row["architecture"], row["provenance"])
                so_far = found.get(key) or Earned(*key[:3], Provenance(row["provenance"]))
                found[key] = _with(so_far, row, sign, len(put_in) + len(left_out))
        return tuple(found[key] for key in sorted(found))

    def examples(self, feature: str) -> list[Example]:
        """Return the correct kernels that were to try a feature, the one that gained most first."""
        found = [
            Example(row["run"], row["sha"], row["why"], row["before_us"] / row["latency_us"])
            for row in self._judged(_JUDGED, self._tenant, None)
            if feature in json.loads(row["features"])
            and row["verdict"] == Verdict.PASS
            and row["latency_us"]
            and row["before_us"]
        ]
        return sorted(found, key=lambda one: -one.gain)

    def models(self) -> list[WriterTally]:
        """Return how each model's candidates did, the most used first; the composer is one of them."""
        return _tallied("model", self._written())

    def prompts(self) -> list[WriterTally]:
        """Return how candidates did by the way in which their coders were asked, the most used first."""
        return _tallied("prompt", [row for row in self._written() if row["asked"]])

    def _judged(
        self, query: Select[*tuple[Any, ...]], tenant: str | None, without: str | None
    ) -> Sequence[RowMapping]:
        with self._database.read() as connection:
            values = {"tenant": tenant, "without": without}
            return connection.execute(query, values).mappings().all()

    def _written(self) -> Sequence[RowMapping]:
        with self._database.read() as connection:
            return connection.execute(_WRITTEN, {"tenant": self._tenant}).mappings().all()

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
    """Add what one candidate says of a feature that it put in (1) or left out (-1)."""
    latency, before = row["latency_us"], row["before_us"]
    passed = row["verdict"] == Verdict.PASS and bool(latency) and bool(before)
    gain = sign * math.log(before / latency) if passed else 0.0
    return replace(
        so_far,
        tries=so_far.tries + 1,
        correct=so_far.correct + passed,
        improved=so_far.improved + (gain > 0),
        log_gain=so_far.log_gain + gain / shared,
    )


def _tallied(column: str, rows: Iterable[RowMapping]) -> list[WriterTally]:
    groups = defaultdict[tuple[str, str], list[RowMapping]](list)
    for row in rows:
        groups[row[column], row["provenance"]].append(row)
    found = [_tally(*key, group) for key, group in groups.items()]
    return sorted(found, key=lambda one: (-one.tries, one.name))


def _tally(name: str, provenance: str, rows: Sequence[RowMapping]) -> WriterTally:
    passed = [row for row in rows if row["verdict"] == Verdict.PASS]
    timed = [row for row in passed if row["latency_us"] and row["before_us"]]
    gains = [math.log(row["before_us"] / row["latency_us"]) for row in timed]
    return WriterTally(
        name=name,
        provenance=Provenance(provenance),
        runs=len({row["run"] for row in rows}),
        tries=len(rows),
        correct=len(passed),
        improved=sum(gain > 0 for gain in gains),
        log_gain=sum(gains),
    )
