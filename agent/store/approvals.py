"""Rounds that wait for a word: a search leaves its plans, and whoever serves its person brings an answer."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, delete, insert, select, update

from agent.store.database import Database
from agent.store.tables import approvals

_A = approvals.c
_ONE = and_(_A.run == bindparam("of"), _A.round == bindparam("at_round"))
_OPEN = _A.answer.is_(None)
_PLANNED = select(_A.planned).where(_ONE)
_ANSWERED = select(_A.answer).where(_ONE)
_LATEST = select(_A.planned, _A.answer).where(_A.run == bindparam("of")).order_by(_A.round.desc()).limit(1)
_FORGET = delete(approvals).where(_ONE)
_WITHDRAW = delete(approvals).where(_ONE, _OPEN)
_ANSWER = update(approvals).where(_ONE, _OPEN)


class Approvals:
    """The rounds of one run. One that is asked for again with the same plans finds the answer that came meanwhile."""

    def __init__(self, database: Database, run: str) -> None:
        self._database = database
        self._run = run

    def ask(self, round_: int, planned: str) -> None:
        """Leave a round's plans, as JSON; other plans than before await another answer."""
        with self._database.write(self._run) as connection:
            if connection.execute(_PLANNED, self._at(round_)).scalar() == planned:
                return
            connection.execute(_FORGET, self._at(round_))
            connection.execute(insert(approvals), {"run": self._run, "round": round_, "planned": planned})

    def waiting(self) -> str | None:
        """Return the plans of the latest round, as JSON, where nobody has answered; None where nothing waits."""
        with self._database.read() as connection:
            row = connection.execute(_LATEST, {"of": self._run}).first()
        return None if row is None or row.answer is not None else row.planned

    def answer(self, round_: int, plans: str) -> bool:
        """Keep the plans to carry out, as JSON; False where somebody answered before, or nothing waits any more."""
        with self._database.write(self._run) as connection:
            return connection.execute(_ANSWER, {**self._at(round_), "answer": plans}).rowcount == 1

    def answer_to(self, round_: int) -> str | None:
        """Return the plans to carry out in a round, as JSON; None while it waits."""
        with self._database.read() as connection:
            return connection.execute(_ANSWERED, self._at(round_)).scalar()

    def withdraw(self, round_: int) -> None:
        """Take back a round that waits no longer; an answer stays."""
        with self._database.write(self._run) as connection:
            connection.execute(_WITHDRAW, self._at(round_))

    def _at(self, round_: int) -> dict[str, object]:
        return {"of": self._run, "at_round": round_}
