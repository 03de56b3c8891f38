"""What features earned in earlier runs, read from their candidates: a demoted kernel takes its credit along."""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from agent.store.database import Database
from sandbox.verdict import Provenance, Verdict

# A gain is over the parent (the fastest of two that were merged), over the baseline where a candidate began afresh.
_BEFORE = """coalesce(
    (SELECT min(parent.latency_us) FROM candidates AS parent WHERE parent.run = mine.run
     AND parent.sha IN (mine.parent, mine.other) AND parent.verdict = 'pass'),
    (SELECT base.latency_us FROM candidates AS base WHERE base.run = mine.run AND base.round = 0)
) AS before_us"""
# A kernel that failed has no latency, and its failure may have been counted: it stands with its run's latencies.
_PROVENANCE = """coalesce(
    iif(mine.latency_us IS NULL,
        (SELECT base.provenance FROM candidates AS base WHERE base.run = mine.run AND base.round = 0), NULL),
    mine.provenance
) AS provenance"""
_MOVED = f"""
SELECT mine.run, mine.sha, mine.why, runs.kind, runs.architecture, {_PROVENANCE}, mine.verdict,
       mine.latency_us, moved.value AS feature,
       json_array_length(mine.features) + json_array_length(mine.without) AS shared,
       {_BEFORE}
FROM candidates AS mine JOIN runs ON runs.id = mine.run, json_each(mine.%s) AS moved
WHERE mine.round > 0 AND mine.verdict IS NOT NULL AND mine.lost = 0 AND mine.duplicate_of IS NULL
  AND mine.verdict NOT IN ('undecided', 'unsupported') AND mine.sha IS NOT NULL
  AND runs.tenant = coalesce(:tenant, runs.tenant) AND runs.id IS NOT :left_out
"""
_TRIED = _MOVED % "features"
_TAKEN_OUT = f"{_MOVED % 'without'} AND mine.verdict = 'pass'"
"""What a kernel loses by a feature that is taken out is what that feature is worth; a failure says nothing of it."""

_WRITTEN = f"""
WITH wrote AS (
    SELECT run, round, candidate, max(model) AS model, max(variant) AS variant FROM replies
    WHERE role = 'coder' AND model != '' GROUP BY run, round, candidate
)
SELECT mine.run, coalesce(wrote.model, runs.model) AS model, wrote.run IS NOT NULL AS asked,
       coalesce(nullif(wrote.variant, ''), 'plain') AS prompt, mine.verdict, mine.latency_us, {_PROVENANCE},
       {_BEFORE}
FROM candidates AS mine JOIN runs ON runs.id = mine.run LEFT JOIN wrote
  ON wrote.run = mine.run AND wrote.round = mine.round AND wrote.candidate = mine.candidate
WHERE mine.round > 0 AND mine.verdict IS NOT NULL AND mine.lost = 0
  AND mine.verdict NOT IN ('undecided', 'unsupported') AND coalesce(mine.origin, '') != 'start'
  AND runs.tenant = coalesce(?, runs.tenant)
"""


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
        asked = {"tenant": self._tenant if tenant is None else tenant, "left_out": without}
        with self._database.read() as connection:
            put_in = connection.execute(_TRIED, asked).fetchall()
            taken_out = connection.execute(_TAKEN_OUT, asked).fetchall()
        found: dict[tuple[str, str, str, str], Earned] = {}
        for sign, row in (*((1, row) for row in put_in), *((-1, row) for row in taken_out)):
            key = (row["feature"], row["kind"], row["architecture"], row["provenance"])
            so_far = found.get(key) or Earned(*key[:3], Provenance(row["provenance"]))
            found[key] = _with(so_far, row, sign)
        return tuple(found[key] for key in sorted(found))

    def examples(self, feature: str) -> list[Example]:
        """Return the correct kernels that were to try a feature, the one that gained most first."""
        with self._database.read() as connection:
            rows = connection.execute(_TRIED, {"tenant": self._tenant, "left_out": None}).fetchall()
        found = [
            Example(row["run"], row["sha"], row["why"], row["before_us"] / row["latency_us"])
            for row in rows
            if row["feature"] == feature
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

    def _written(self) -> list[sqlite3.Row]:
        with self._database.read() as connection:
            return connection.execute(_WRITTEN, (self._tenant,)).fetchall()

    def of_run(self, run: str, tenant: str) -> tuple[Earned, ...]:
        """Return the credit that a run began with; it stays what it was, whatever other runs earn meanwhile."""
        with self._database.read() as connection:
            text = connection.execute("SELECT credit FROM runs WHERE id = ?", (run,)).fetchone()["credit"]
        if text is not None:
            return _EARNED.validate_json(text)
        found = self.earned(without=run, tenant=tenant)
        with self._database.write() as connection:
            said = _EARNED.dump_json(found).decode()
            connection.execute("UPDATE runs SET credit = ? WHERE id = ?", (said, run))
        return found


def _with(so_far: Earned, row: sqlite3.Row, sign: int) -> Earned:
    """Add what one candidate says of a feature that it put in (1) or left out (-1)."""
    latency, before = row["latency_us"], row["before_us"]
    passed = row["verdict"] == Verdict.PASS and bool(latency) and bool(before)
    gain = sign * math.log(before / latency) if passed else 0.0
    return replace(
        so_far,
        tries=so_far.tries + 1,
        correct=so_far.correct + passed,
        improved=so_far.improved + (gain > 0),
        log_gain=so_far.log_gain + gain / row["shared"],
    )


def _tallied(column: str, rows: Iterable[sqlite3.Row]) -> list[WriterTally]:
    groups = defaultdict[tuple[str, str], list[sqlite3.Row]](list)
    for row in rows:
        groups[row[column], row["provenance"]].append(row)
    found = [_tally(*key, group) for key, group in groups.items()]
    return sorted(found, key=lambda one: (-one.tries, one.name))


def _tally(name: str, provenance: str, rows: Sequence[sqlite3.Row]) -> WriterTally:
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
