"""The table of candidates."""

from __future__ import annotations

import json
import sqlite3

from pydantic import TypeAdapter
from pydantic_core import to_json

from agent.candidates import CandidatePlan, Line, Submission, Trial
from agent.niches import Niche
from agent.store.database import Database
from agent.store.records import dump_report, load_report
from sandbox.verdict import Provenance, Verdict
from tools.preference import RESOLUTION, Merit, merit, preferred

_KEY = "run = ? AND round = ? AND candidate = ?"
_TIMED = (
    "SELECT * FROM candidates WHERE run = :run AND verdict = 'pass' AND latency_us IS NOT NULL"
    " AND duplicate_of IS NULL AND +round BETWEEN 1 AND :last"  # by latency, not by round
)
_RANKED = f"{_TIMED} ORDER BY latency_us, round, candidate"
_FIRST = (
    f"{_TIMED} AND latency_us <= :near * (SELECT min(latency_us) FROM ({_TIMED}))"
    " ORDER BY latency_us, round, candidate"
)

_LINES = (
    "SELECT round, candidate, sha, parent, other, features, used_features, verdict, latency_us, duplicate_of, lost,"
    " origin, niche, without FROM candidates WHERE run = ? AND verdict IS NOT NULL AND round BETWEEN ? AND ?"
    " ORDER BY round, candidate"
)
_ATTEMPTS = (
    "SELECT run, round, candidate, parent, other, features, used_features, without, why, origin, sha, verdict,"
    " message, latency_us, provenance, speedup, tune, lost, duplicate_of, niche, NULL AS report"
    " FROM candidates WHERE run = ? ORDER BY round, candidate"
)
_TRIALS = (
    "SELECT * FROM candidates WHERE run = ? AND verdict IS NOT NULL AND round BETWEEN ? AND ?"
    " ORDER BY round, candidate"
)
_BEST = (
    "SELECT candidates.*, runs.best_sha FROM candidates JOIN runs ON runs.id = candidates.run"
    " AND runs.best_round = candidates.round AND runs.best_candidate = candidates.candidate WHERE runs.id = ?"
)
_NICHE = TypeAdapter(Niche)


class Candidates:
    """Submissions, what became of them, and which of them are the same kernel."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, run: str, submission: Submission) -> None:
        """Store a submission; one that is there already stays as it is."""
        plan = submission.plan
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO candidates (run, round, candidate, parent, features, why, sha, other, origin,"
                " used_features, without) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(
                        run,
                        *submission.place,
                        plan.parent,
                        json.dumps(plan.features),
                        plan.why,
                        submission.sha,
                    ),
                    *(plan.other, plan.origin, json.dumps(submission.used), json.dumps(plan.without)),
                ),
            )

    def submission(self, run: str, place: tuple[int, int]) -> Submission | None:
        """Return the submission of a round and number; None where that candidate was not written yet."""
        with self._database.read() as connection:
            row = connection.execute(f"SELECT * FROM candidates WHERE {_KEY}", (run, *place)).fetchone()
        return None if row is None else _submission(row)

    def judge(self, run: str, trial: Trial) -> None:
        """Store what became of a submission, in place of what was said before."""
        report = None if trial.report is None else dump_report(trial.report)
        niche = None if trial.niche is None else to_json(trial.niche).decode()
        with self._database.write() as connection:
            connection.execute(
                "UPDATE candidates SET verdict = ?, message = ?, latency_us = ?, provenance = ?, speedup = ?,"
                f" tune = ?, report = ?, lost = ?, duplicate_of = ?, niche = ? WHERE {_KEY}",
                (
                    *(trial.verdict, trial.message, trial.latency_us, trial.provenance, trial.speedup),
                    *(
                        json.dumps(trial.tune),
                        report,
                        trial.lost,
                        trial.duplicate_of,
                        niche,
                        run,
                        *trial.place,
                    ),
                ),
            )

    def claim(self, run: str, submission: Submission, identity: str) -> Submission | None:
        """Say what a submission compiles to, unless another of the run said so first; return that other one."""
        with self._database.write() as connection:
            row = connection.execute(
                "SELECT * FROM candidates WHERE run = ? AND identity = ?", (run, identity)
            ).fetchone()
            if row is None:
                connection.execute(
                    f"UPDATE candidates SET identity = ? WHERE {_KEY}", (identity, run, *submission.place)
                )
                return None
        other = _submission(row)
        return None if other.place == submission.place else other

    def wait_for(self, run: str, submission: Submission, original: Submission) -> None:
        """Say that a submission is the same kernel as another one, whose trial it will repeat."""
        with self._database.write() as connection:
            connection.execute(
                f"UPDATE candidates SET duplicate_of = ? WHERE {_KEY}",
                (f"{original.round}/{original.candidate}", run, *submission.place),
            )

    def waiting_for(self, run: str, submission: Submission) -> Submission | None:
        """Return the candidate that a submission is the same kernel as."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT other.* FROM candidates AS mine JOIN candidates AS other ON other.run = mine.run"
                " AND other.round || '/' || other.candidate = mine.duplicate_of"
                " WHERE mine.run = ? AND mine.round = ? AND mine.candidate = ?",
                (run, *submission.place),
            ).fetchone()
        return None if row is None else _submission(row)

    def first_with(self, run: str, sha: str) -> Submission | None:
        """Return the first candidate of a run with this source."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT * FROM candidates WHERE run = ? AND sha = ? ORDER BY round, candidate LIMIT 1",
                (run, sha),
            ).fetchone()
        return None if row is None else _submission(row)

    def unjudged(self, run: str, round_: int) -> list[Submission]:
        """Return the candidates of a round that have no verdict yet."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT * FROM candidates WHERE run = ? AND round = ? AND verdict IS NULL ORDER BY candidate",
                (run, round_),
            ).fetchall()
        return [_submission(row) for row in rows]

    def trial(self, run: str, place: tuple[int, int]) -> Trial | None:
        """Return the judged candidate of a round and number; None where it was not judged yet."""
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT * FROM candidates WHERE {_KEY} AND verdict IS NOT NULL", (run, *place)
            ).fetchone()
        return None if row is None else _trial(row)

    def trials(self, run: str, *, first: int = 1, through: int | None = None) -> list[Trial]:
        """Return the judged candidates of the rounds from `first`, up to and with `through`, in order."""
        last = 2**31 if through is None else through
        with self._database.read() as connection:
            rows = connection.execute(_TRIALS, (run, first, last)).fetchall()
        return [_trial(row) for row in rows]

    def lines(self, run: str, *, first: int = 1, through: int) -> list[Line]:
        """Return the judged candidates of these rounds in a line each, in order; no report is read."""
        with self._database.read() as connection:
            rows = connection.execute(_LINES, (run, first, through)).fetchall()
        return [_line(row) for row in rows]

    def attempts(self, run: str) -> list[tuple[Submission, Trial | None]]:
        """Return every candidate, the baseline first, with what became of it so far; no report is read."""
        with self._database.read() as connection:
            rows = connection.execute(_ATTEMPTS, (run,)).fetchall()
        return [(_submission(row), None if row["verdict"] is None else _trial(row)) for row in rows]

    def all_lost(self, run: str, round_: int) -> bool:
        """Whether no candidate of a round failed, or passed, on its own account."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT count(*) > 0 AND min(lost) = 1 FROM candidates WHERE run = ? AND round = ?",
                (run, round_),
            ).fetchone()
        return bool(row[0])

    def forget_from(self, run: str, round_: int) -> None:
        """Forget the candidates of a round and of those after it, so that they are tried again."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM candidates WHERE run = ? AND round >= ?", (run, round_))

    def ranked(self, run: str, *, through: int | None = None) -> list[Trial]:
        """Return the correct, timed, distinct candidates of the rounds from 1 on, the one to choose first.

        That is the fastest; of those that an estimate cannot tell from it the leanest (`tools.preference`).
        """
        return self._preferred(_RANKED, run, through)

    def first(self, run: str, *, through: int | None = None) -> Trial | None:
        """Return the first of `ranked`, and read no more of them than may be it; None where there is none."""
        return next(iter(self._preferred(_FIRST, run, through)), None)

    def _preferred(self, query: str, run: str, through: int | None) -> list[Trial]:
        values = {"run": run, "last": 2**31 if through is None else through, "near": 1 + RESOLUTION}
        with self._database.read() as connection:
            rows = connection.execute(query, values).fetchall()
        return preferred([_trial(row) for row in rows], _merit)

    def set_best(self, run: str, trial: Trial, sha: str) -> None:
        """Record the best candidate, and the sha of its `best.cu`."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE runs SET best_round = ?, best_candidate = ?, best_sha = ? WHERE id = ?",
                (*trial.place, sha, run),
            )

    def demote(self, run: str, failed: Trial, instead: tuple[Trial, str] | None) -> list[Trial]:
        """Store that a candidate failed after all, that its duplicates did too, and which one is the best now.

        All in one step: nobody sees a best candidate that failed, or a duplicate that fares better than its original.

        Args:
            run: Of the candidate.
            failed: What is said of it now.
            instead: The next best candidate and the sha of its `best.cu`; None where there is no other.

        Returns:
            The candidates that changed, as they are now.
        """
        place, sha = ((None, None), None) if instead is None else (instead[0].place, instead[1])
        original = f"{failed.round}/{failed.candidate}"
        said = f"the same kernel as round {failed.round} candidate {failed.candidate}: {failed.message}"
        with self._database.write() as connection:
            connection.execute(
                "UPDATE candidates SET verdict = ?, message = iif(duplicate_of = ?, ?, ?), latency_us = NULL,"
                " speedup = NULL, report = NULL, niche = NULL, tune = '{}' WHERE run = ? AND"
                " (round = ? AND candidate = ? OR duplicate_of = ? AND verdict IS NOT NULL)",
                (failed.verdict, original, said, failed.message, run, *failed.place, original),
            )
            connection.execute(
                "UPDATE runs SET best_round = ?, best_candidate = ?, best_sha = ? WHERE id = ?",
                (*place, sha, run),
            )
            rows = connection.execute(
                "SELECT * FROM candidates WHERE run = ? AND (round = ? AND candidate = ? OR duplicate_of = ?"
                " AND verdict IS NOT NULL) ORDER BY round, candidate",
                (run, *failed.place, original),
            ).fetchall()
        return [_trial(row) for row in rows]

    def found(self, run: str) -> tuple[list[Trial], tuple[Trial, str] | None]:
        """Return the judged candidates and the best one with the sha of its `best.cu`, as of one moment."""
        with self._database.read() as connection:
            rows = connection.execute(_TRIALS, (run, 1, 2**31)).fetchall()
            best = connection.execute(_BEST, (run,)).fetchone()
        return [_trial(row) for row in rows], None if best is None else (_trial(best), best["best_sha"])

    def best(self, run: str) -> tuple[Trial, str] | None:
        """Return the best candidate and the sha of its `best.cu`."""
        with self._database.read() as connection:
            row = connection.execute(_BEST, (run,)).fetchone()
        return None if row is None else (_trial(row), row["best_sha"])


def _merit(trial: Trial) -> Merit:
    """What is known of a candidate that was timed; one whose report was not kept counts as lean."""
    report = trial.report
    if report is not None and report.profile is not None and report.profile.latency_us is not None:
        return merit(report.profile, report.compile)
    assert trial.latency_us is not None, "only what was timed is ranked"
    return Merit(trial.latency_us, trial.provenance is not Provenance.MEASURED, (0, 0, 0))


def _submission(row: sqlite3.Row) -> Submission:
    plan = CandidatePlan(
        *(row["parent"], tuple(json.loads(row["features"])), row["why"], row["other"], row["origin"]),
        without=tuple(json.loads(row["without"])),
    )
    used = tuple(json.loads(row["used_features"]))
    return Submission(row["round"], row["candidate"], plan, row["sha"], used)


def _line(row: sqlite3.Row) -> Line:
    return Line(
        round=row["round"],
        candidate=row["candidate"],
        sha=row["sha"],
        parents=tuple(sha for sha in (row["parent"], row["other"]) if sha is not None),
        features=tuple(json.loads(row["features"])),
        used=tuple(json.loads(row["used_features"])),
        verdict=Verdict(row["verdict"]),
        latency_us=row["latency_us"],
        duplicate=row["duplicate_of"] is not None,
        lost=bool(row["lost"]),
        origin=row["origin"],
        niche=None if row["niche"] is None else _NICHE.validate_json(row["niche"]),
        without=tuple(json.loads(row["without"])),
    )


def _trial(row: sqlite3.Row) -> Trial:
    known = {
        "features": json.loads(row["features"]),
        "without": json.loads(row["without"]),
        "tune": json.loads(row["tune"]),
        "report": None if row["report"] is None else load_report(row["report"]),
        "niche": None if row["niche"] is None else _NICHE.validate_json(row["niche"]),
        "used": json.loads(row["used_features"]),
    }
    return Trial.model_validate({**dict(row), **known})
