"""The table of candidates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json
from sqlalchemy import (
    Double,
    RowMapping,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)

from agent.candidates import Line, Submission, Trial
from agent.store import candidate_rows as of
from agent.store.database import Database
from agent.store.kept_reports import (
    REPORTED,
    UNREPORTED,
    forget_reports,
    forget_reports_from,
    keep_report,
)
from agent.store.tables import Words, candidates, insert_new, runs
from sandbox.verdict import Verdict
from tools.preference import RESOLUTION, preferred

_C = candidates.c
_OF_RUN = _C.run == bindparam("of")
_KEY = and_(_OF_RUN, _C.round == bindparam("at_round"), _C.candidate == bindparam("at_candidate"))
_IN_ORDER = (_C.round, _C.candidate)
_JUDGED = and_(_OF_RUN, _C.verdict.is_not(None))
_TIMED = and_(
    *(_OF_RUN, _C.verdict == Verdict.PASS, _C.latency_us.is_not(None), _C.duplicate_of.is_(None)),
    (_C.round + 0).between(1, bindparam("last")),  # a sum, so that it is found by latency and not by round
)
_RANKED = REPORTED.where(_TIMED).order_by(_C.latency_us, *_IN_ORDER)
_FIRST = _RANKED.where(
    _C.latency_us
    <= bindparam("near", type_=Double) * select(func.min(_C.latency_us)).where(_TIMED).scalar_subquery()
)
_ROUNDS = _C.round.between(bindparam("first"), bindparam("last"))
_LINES = (
    select(
        *(_C.round, _C.candidate, _C.sha, _C.parent, _C.other, _C.features, _C.used_features, _C.verdict),
        *(_C.latency_us, _C.duplicate_of, _C.lost, _C.origin, _C.niche, _C.without),
    )
    .where(_JUDGED, _ROUNDS)
    .order_by(*_IN_ORDER)
)
_ATTEMPTS = UNREPORTED.where(_OF_RUN).order_by(*_IN_ORDER)
_FOUND = UNREPORTED.where(_JUDGED, _ROUNDS).order_by(*_IN_ORDER)
_ONE = select(candidates).where(_KEY)
_TRIAL = REPORTED.where(_KEY, _C.verdict.is_not(None))
_TRIALS = REPORTED.where(_JUDGED, _ROUNDS).order_by(*_IN_ORDER)
_ROUND = select(candidates).where(_OF_RUN, _C.round == bindparam("at_round")).order_by(_C.candidate)
_BEST = (
    REPORTED.add_columns(runs.c.best_sha)
    .join(
        runs,
        and_(runs.c.id == _C.run, runs.c.best_round == _C.round, runs.c.best_candidate == _C.candidate),
    )
    .where(runs.c.id == bindparam("of"))
)
_CLAIMED = select(candidates).where(_OF_RUN, _C.identity == bindparam("of_identity"))
_WITH_SHA = select(candidates).where(_OF_RUN, _C.sha == bindparam("of_sha")).order_by(*_IN_ORDER).limit(1)
_OTHER = candidates.alias("other")
_WAITING_FOR = (
    select(_OTHER)
    .join(
        candidates,
        and_(
            _OTHER.c.run == _C.run,
            cast(_OTHER.c.round, Text) + "/" + cast(_OTHER.c.candidate, Text) == _C.duplicate_of,
        ),
    )
    .where(_KEY)
)
_WITH_DUPLICATES = and_(
    _OF_RUN,
    or_(
        and_(_C.round == bindparam("at_round"), _C.candidate == bindparam("at_candidate")),
        and_(_C.duplicate_of == bindparam("original"), _C.verdict.is_not(None)),
    ),
)
_DEMOTED = UNREPORTED.where(_WITH_DUPLICATES).order_by(*_IN_ORDER)
_SET = update(candidates).where(_KEY)
_SET_BEST = update(runs).where(runs.c.id == bindparam("of"))
_FORGET = delete(candidates).where(_OF_RUN, _C.round >= bindparam("at_round"))
_LAST = 2**31 - 1
"""A round that no run reaches."""


class Candidates:
    """Submissions, what became of them, and which of them are the same kernel."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, run: str, submission: Submission) -> None:
        """Store a submission; one that is there already stays as it is."""
        plan = submission.plan
        row = {
            **{
                "run": run,
                "round": submission.round,
                "candidate": submission.candidate,
                "sha": submission.sha,
            },
            **{"parent": plan.parent, "other": plan.other, "origin": plan.origin, "why": plan.why},
            **{"features": json.dumps(plan.features), "used_features": json.dumps(submission.used)},
            "without": json.dumps(plan.without),
        }
        with self._database.write(run) as connection:
            connection.execute(insert_new(connection, candidates), row)

    def submission(self, run: str, place: tuple[int, int]) -> Submission | None:
        """Return the submission of a round and number; None where that candidate was not written yet."""
        row = self._first(_ONE, _at(run, place))
        return None if row is None else of.submission(row)

    def judge(self, run: str, trial: Trial) -> None:
        """Store what became of a submission, in place of what was said before."""
        said = {
            **{"verdict": trial.verdict, "message": trial.message, "latency_us": trial.latency_us},
            **{"provenance": trial.provenance, "speedup": trial.speedup, "tune": json.dumps(trial.tune)},
            **{"lost": int(trial.lost), "duplicate_of": trial.duplicate_of},
            "niche": None if trial.niche is None else to_json(trial.niche).decode(),
        }
        with self._database.write(run) as connection:
            connection.execute(_SET, {**_at(run, trial.place), **said})
            keep_report(connection, _at(run, trial.place), trial.report)

    def claim(self, run: str, submission: Submission, identity: str) -> Submission | None:
        """Say what a submission compiles to, unless another of the run said so first; return that other one."""
        with self._database.write(run) as connection:
            row = connection.execute(_CLAIMED, {"of": run, "of_identity": identity}).mappings().first()
            if row is None:
                connection.execute(_SET, {**_at(run, submission.place), "identity": identity})
                return None
        other = of.submission(row)
        return None if other.place == submission.place else other

    def wait_for(self, run: str, submission: Submission, original: Submission) -> None:
        """Say that a submission is the same kernel as another one, whose trial it will repeat."""
        said = {"duplicate_of": f"{original.round}/{original.candidate}"}
        with self._database.write(run) as connection:
            connection.execute(_SET, {**_at(run, submission.place), **said})

    def waiting_for(self, run: str, submission: Submission) -> Submission | None:
        """Return the candidate that a submission is the same kernel as."""
        row = self._first(_WAITING_FOR, _at(run, submission.place))
        return None if row is None else of.submission(row)

    def first_with(self, run: str, sha: str) -> Submission | None:
        """Return the first candidate of a run with this source."""
        row = self._first(_WITH_SHA, {"of": run, "of_sha": sha})
        return None if row is None else of.submission(row)

    def unjudged(self, run: str, round_: int) -> list[Submission]:
        """Return the candidates of a round that have no verdict yet."""
        rows = self._all(_ROUND.where(_C.verdict.is_(None)), {"of": run, "at_round": round_})
        return [of.submission(row) for row in rows]

    def trial(self, run: str, place: tuple[int, int]) -> Trial | None:
        """Return the judged candidate of a round and number; None where it was not judged yet."""
        row = self._first(_TRIAL, _at(run, place))
        return None if row is None else of.trial(row)

    def trials(self, run: str, *, first: int = 1, through: int | None = None) -> list[Trial]:
        """Return the judged candidates of the rounds from `first`, up to and with `through`, in order."""
        last = _LAST if through is None else through
        return [of.trial(row) for row in self._all(_TRIALS, {"of": run, "first": first, "last": last})]

    def lines(self, run: str, *, first: int = 1, through: int | None = None) -> list[Line]:
        """Return the judged candidates of these rounds in a line each, in order; no report is read."""
        last = _LAST if through is None else through
        return [of.line(row) for row in self._all(_LINES, {"of": run, "first": first, "last": last})]

    def attempts(self, run: str) -> list[tuple[Submission, Trial | None]]:
        """Return every candidate, the baseline first, with what became of it so far; no report is read."""
        rows = self._all(_ATTEMPTS, {"of": run})
        return [(of.submission(row), None if row["verdict"] is None else of.trial(row)) for row in rows]

    def all_lost(self, run: str, round_: int) -> bool:
        """Whether no candidate of a round failed, or passed, on its own account."""
        rows = self._all(_ROUND, {"of": run, "at_round": round_})
        return bool(rows) and all(row["lost"] for row in rows)

    def forget_from(self, run: str, round_: int) -> None:
        """Forget the candidates of a round and of those after it, so that they are tried again."""
        with self._database.write(run) as connection:
            forget_reports_from(connection, run, round_)
            connection.execute(_FORGET, {"of": run, "at_round": round_})

    def ranked(self, run: str, *, through: int | None = None) -> list[Trial]:
        """Return the correct, timed, distinct candidates of the rounds from 1 on, the one to choose first.

        That is the fastest; of those that an estimate cannot tell from it the leanest (`tools.preference`).
        """
        return self._preferred(_RANKED, run, through)

    def first(self, run: str, *, through: int | None = None) -> Trial | None:
        """Return the first of `ranked`, and read no more of them than may be it; None where there is none."""
        return next(iter(self._preferred(_FIRST, run, through)), None)

    def _preferred(self, query: Select[*tuple[Any, ...]], run: str, through: int | None) -> list[Trial]:
        last = _LAST if through is None else through
        rows = self._all(query, {"of": run, "last": last, "near": 1 + RESOLUTION})
        return preferred([of.trial(row) for row in rows], of.merit_of)

    def set_best(self, run: str, trial: Trial, sha: str) -> None:
        """Record the best candidate, and the sha of its `best.cu`."""
        with self._database.write(run) as connection:
            connection.execute(_SET_BEST, {"of": run, **_best(trial.place, sha)})

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
        these = {**_at(run, failed.place), "original": original}
        gone = dict.fromkeys(("latency_us", "speedup", "niche"))
        message = case(
            (_C.duplicate_of == original, literal(said, Words)), else_=literal(failed.message, Words)
        )
        change = update(candidates).where(_WITH_DUPLICATES)
        with self._database.write(run) as connection:
            connection.execute(
                change.values(verdict=failed.verdict, message=message, tune="{}", **gone), these
            )
            connection.execute(_SET_BEST, {"of": run, **_best(place, sha)})
            changed = [of.trial(row) for row in connection.execute(_DEMOTED, these).mappings()]
            forget_reports(connection, run, (one.place for one in changed))
        return changed

    def found(self, run: str) -> tuple[list[Trial], tuple[Trial, str] | None]:
        """Return the judged candidates and the best one with the sha of its `best.cu`, as of one moment.

        Of reports, which are most of a candidate, only the best one's is read.
        """
        with self._database.read() as connection:
            rows = connection.execute(_FOUND, {"of": run, "first": 1, "last": _LAST}).mappings().all()
            best = connection.execute(_BEST, {"of": run}).mappings().first()
        return [of.trial(row) for row in rows], None if best is None else (of.trial(best), best["best_sha"])

    def best(self, run: str) -> tuple[Trial, str] | None:
        """Return the best candidate and the sha of its `best.cu`."""
        row = self._first(_BEST, {"of": run})
        return None if row is None else (of.trial(row), row["best_sha"])

    def _first(self, query: Select[*tuple[Any, ...]], values: Mapping[str, object]) -> RowMapping | None:
        with self._database.read() as connection:
            return connection.execute(query, values).mappings().first()

    def _all(self, query: Select[*tuple[Any, ...]], values: Mapping[str, object]) -> Sequence[RowMapping]:
        with self._database.read() as connection:
            return connection.execute(query, values).mappings().all()


def _at(run: str, place: tuple[int, int]) -> dict[str, object]:
    return {"of": run, "at_round": place[0], "at_candidate": place[1]}


def _best(place: tuple[int | None, int | None], sha: str | None) -> dict[str, object]:
    return {"best_round": place[0], "best_candidate": place[1], "best_sha": sha}
