"""Questions to the model of an MCP client: a search leaves them, and whoever serves the client brings answers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import and_, bindparam, delete, select, update

from agent.store.database import Database
from agent.store.tables import client_questions, insert_new

_C = client_questions.c
_ONE = and_(_C.run == bindparam("of"), _C.id == bindparam("question"))
_OPEN = _C.answer.is_(None)
_OLDEST = select(_C.id, _C.asked).where(_C.run == bindparam("of"), _OPEN).order_by(_C.rowid).limit(1)
_ANSWER = update(client_questions).where(_ONE, _OPEN)
_ANSWERED = select(_C.answer).where(_ONE)
_WITHDRAW = delete(client_questions).where(_ONE, _OPEN)


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
        row = {"run": self._run, "id": question.id, "asked": json.dumps(asked)}
        with self._database.write(self._run) as connection:
            connection.execute(insert_new(connection, client_questions), row)

    def waiting(self) -> ClientQuestion | None:
        """Return the oldest question that has no answer; None where there is none."""
        with self._database.read() as connection:
            row = connection.execute(_OLDEST, {"of": self._run}).mappings().first()
        if row is None:
            return None
        asked = json.loads(row["asked"])
        turns = tuple(Turn(**turn) for turn in asked["turns"])
        return ClientQuestion(row["id"], asked["system"], turns, asked["max_tokens"])

    def answer(self, question: str, answer: ClientAnswer) -> None:
        """Keep an answer; of several the first one counts."""
        said = json.dumps(asdict(answer))
        with self._database.write(self._run) as connection:
            connection.execute(_ANSWER, {"of": self._run, "question": question, "answer": said})

    def answer_to(self, question: str) -> ClientAnswer | None:
        """Return the answer to a question; None while it waits."""
        with self._database.read() as connection:
            said = connection.execute(_ANSWERED, {"of": self._run, "question": question}).scalar()
        return None if said is None else ClientAnswer(**json.loads(said))

    def withdraw(self, question: str) -> None:
        """Take back a question that nobody waits for any more; an answer stays."""
        with self._database.write(self._run) as connection:
            connection.execute(_WITHDRAW, {"of": self._run, "question": question})
