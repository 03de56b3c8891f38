"""The table of replies: every answer of a model, kept as it arrives, so that none is paid for twice."""

from __future__ import annotations

from dataclasses import dataclass

from agent.store.database import Database


@dataclass(frozen=True)
class ReplyKey:
    """Which question a reply answers; `prompt` is the sha256 of the messages sent."""

    round: int
    candidate: int
    role: str
    prompt: str


@dataclass(frozen=True)
class Reply:
    """What a model answered, and what it cost."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0


class Replies:
    """The replies of one run."""

    def __init__(self, database: Database, run: str) -> None:
        self._database = database
        self._run = run

    def find(self, key: ReplyKey) -> Reply | None:
        """Return the answer that arrived earlier, if one did."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT text, tokens_in, tokens_out FROM replies"
                " WHERE run = ? AND round = ? AND candidate = ? AND role = ? AND prompt = ?",
                (self._run, key.round, key.candidate, key.role, key.prompt),
            ).fetchone()
        return None if row is None else Reply(row["text"], row["tokens_in"], row["tokens_out"])

    def keep(self, key: ReplyKey, reply: Reply) -> None:
        """Commit an answer before anything is done with it."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO replies (run, round, candidate, role, prompt, text, tokens_in, tokens_out)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(self._run, key.round, key.candidate, key.role, key.prompt),
                    *(reply.text, reply.tokens_in, reply.tokens_out),
                ),
            )
