"""Rounds that wait for a word: a search leaves its plans, and whoever serves its person brings an answer."""

from __future__ import annotations

from agent.store.database import Database


class Approvals:
    """The rounds of one run. One that is asked for again with the same plans finds the answer that came meanwhile."""

    def __init__(self, database: Database, run: str) -> None:
        self._database = database
        self._run = run

    def ask(self, round_: int, planned: str) -> None:
        """Leave a round's plans, as JSON; other plans than before await another answer."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO approvals (run, round, planned) VALUES (?, ?, ?) ON CONFLICT (run, round) DO UPDATE"
                " SET planned = excluded.planned, answer = NULL WHERE planned != excluded.planned",
                (self._run, round_, planned),
            )

    def waiting(self) -> str | None:
        """Return the plans of the latest round, as JSON, where nobody has answered; None where nothing waits."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT planned, answer FROM approvals WHERE run = ? ORDER BY round DESC LIMIT 1",
                (self._run,),
            ).fetchone()
        return None if row is None or row["answer"] is not None else row["planned"]

    def answer(self, round_: int, plans: str) -> bool:
        """Keep the plans to carry out, as JSON; False where somebody answered before, or nothing waits any more."""
        with self._database.write() as connection:
            kept = connection.execute(
                "UPDATE approvals SET answer = ? WHERE run = ? AND round = ? AND answer IS NULL",
                (plans, self._run, round_),
            )
            return kept.rowcount == 1

    def answer_to(self, round_: int) -> str | None:
        """Return the plans to carry out in a round, as JSON; None while it waits."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT answer FROM approvals WHERE run = ? AND round = ?", (self._run, round_)
            ).fetchone()
        return None if row is None else row["answer"]

    def withdraw(self, round_: int) -> None:
        """Take back a round that waits no longer; an answer stays."""
        with self._database.write() as connection:
            connection.execute(
                "DELETE FROM approvals WHERE run = ? AND round = ? AND answer IS NULL", (self._run, round_)
            )
