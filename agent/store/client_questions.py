"""Questions to the model of an MCP client: a search leaves them, and whoever serves the client brings answers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from agent.store.database import Database


@dataclass(frozen=True)
class Turn:
    """What was said in a conversation, and by whom."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class ClientQuestion:
    """A question that waits for an answer.

    Attributes:
        id: Its name within the run.
        system: What the model is told once; may be empty.
        turns: The conversation so far.
        max_tokens: Of the answer.
    """

    id: str
    system: str
    turns: tuple[Turn, ...]
    max_tokens: int


@dataclass(frozen=True)
class ClientAnswer:
    """What the client's model said; `finish` is why it ended, in the endpoints' words, `model` its own name."""

    text: str
    finish: str = "stop"
    model: str = ""


class ClientQuestions:
    """The questions of one run. A question that is asked again finds the answer that came meanwhile."""

    def __init__(self, database: Database, run: str) -> None:
        self._database = database
        self._run = run

    def ask(self, question: ClientQuestion) -> None:
        """Leave a question, unless it is there already."""
        asked = {name: value for name, value in asdict(question).items() if name != "id"}
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO client_questions (run, id, asked) VALUES (?, ?, ?)",
                (self._run, question.id, json.dumps(asked)),
            )

    def waiting(self) -> ClientQuestion | None:
        """Return the oldest question that has no answer; None where there is none."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT id, asked FROM client_questions WHERE run = ? AND answer IS NULL ORDER BY rowid LIMIT 1",
                (self._run,),
            ).fetchone()
        if row is None:
            return None
        asked = json.loads(row["asked"])
        turns = tuple(Turn(**turn) for turn in asked["turns"])
        return ClientQuestion(row["id"], asked["system"], turns, asked["max_tokens"])

    def answer(self, question: str, answer: ClientAnswer) -> None:
        """Keep an answer; of several the first one counts."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE client_questions SET answer = ? WHERE run = ? AND id = ? AND answer IS NULL",
                (json.dumps(asdict(answer)), self._run, question),
            )

    def answer_to(self, question: str) -> ClientAnswer | None:
        """Return the answer to a question; None while it waits."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT answer FROM client_questions WHERE run = ? AND id = ?", (self._run, question)
            ).fetchone()
        return None if row is None or row["answer"] is None else ClientAnswer(**json.loads(row["answer"]))

    def withdraw(self, question: str) -> None:
        """Take back a question that nobody waits for any more; an answer stays."""
        with self._database.write() as connection:
            connection.execute(
                "DELETE FROM client_questions WHERE run = ? AND id = ? AND answer IS NULL",
                (self._run, question),
            )
