"""The table of reports: most of what is known of a candidate, and read of few; so rows beside it stay short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, delete, insert, null, select

from agent.store.records import dump_report
from agent.store.tables import candidates, reports
from tools.reports import CheckReport

_C, _R = candidates.c, reports.c
_WITH_ITS_REPORT = candidates.outerjoin(
    reports, and_(_R.run == _C.run, _R.round == _C.round, _R.candidate == _C.candidate)
)
REPORTED: Select[*tuple[Any, ...]] = select(*_C, _R.report).select_from(_WITH_ITS_REPORT)
"""Candidates, each with its report as JSON; NULL where none was kept."""
UNREPORTED: Select[*tuple[Any, ...]] = select(*_C, null().label("report"))
"""Candidates, whose reports are not read."""
_OF_RUN = _R.run == bindparam("of")
_ONE = and_(_OF_RUN, _R.round == bindparam("at_round"), _R.candidate == bindparam("at_candidate"))
_FORGET = delete(reports).where(_ONE)
_FORGET_FROM = delete(reports).where(_OF_RUN, _R.round >= bindparam("at_round"))
_KEEP = insert(reports)


def keep_report(connection: Connection, at: Mapping[str, object], report: CheckReport | None) -> None:
    """Store the report of a candidate in place of an earlier one; none for None.

    Args:
        connection: In the transaction that stores what the report comes to.
        at: The candidate, as `of`, `at_round` and `at_candidate`.
        report: What was judged.
    """
    connection.execute(_FORGET, at)
    if report is not None:
        place = {"run": at["of"], "round": at["at_round"], "candidate": at["at_candidate"]}
        connection.execute(_KEEP, {**place, "report": dump_report(report)})


def forget_reports(connection: Connection, run: str, places: Iterable[tuple[int, int]]) -> None:
    """Forget the reports of candidates that failed after all."""
    for round_, candidate in places:
        connection.execute(_FORGET, {"of": run, "at_round": round_, "at_candidate": candidate})


def forget_reports_from(connection: Connection, run: str, round_: int) -> None:
    """Forget the reports of a round and of those after it."""
    connection.execute(_FORGET_FROM, {"of": run, "at_round": round_})
