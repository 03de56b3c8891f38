"""The table of replies: every answer of a model, kept as it arrives, so that none is paid for twice."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass
from typing import Any, Literal

from agent.store.database import Database
from agent.store.questions import Asked, find_questions, keep_question


@dataclass(frozen=True)
class ReplyKey:
    """Which question a reply answers; `prompt` is the sha256 of the messages sent."""

    round: int
    candidate: int
    role: str
    prompt: str


@dataclass(frozen=True)
class ToolUse:
    """A tool that a model asks to be called.

    Attributes:
        id: The endpoint's name of the call, which its result refers to.
        arguments: By name, as the model gave them; unchecked.
    """

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What a model answered, and what it cost.

    Attributes:
        finish: Why it ended, in the endpoint's word (stop, length, content_filter, tool_calls); may be empty.
        refusal: What the endpoint gave as a refusal; empty otherwise.
        uses: The tools that it asks to be called, in order.
        tokens_cached: Those of `tokens_in` that the provider had in its cache of prompts.
        usd: Price in US dollars; None where none is known.
        model: Who answered; empty where no model did.
        variant: The way in which it was asked; empty where there was none to choose.
    """

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    finish: str = ""
    refusal: str = ""
    uses: tuple[ToolUse, ...] = ()
    tokens_cached: int = 0
    usd: float | None = None
    model: str = ""
    variant: str = ""

    @property
    def cut_off(self) -> bool:
        """Whether it ended at the token limit."""
        return self.finish in ("length", "max_tokens")


# A gain is over the faster of the kernels that a candidate started from, or over the baseline.
_TALLIES = """
SELECT wrote.{column} AS arm, count(*) AS tried,
       coalesce(sum(mine.verdict = 'pass' AND mine.latency_us < coalesce(
           (SELECT min(parent.latency_us) FROM candidates AS parent WHERE parent.run = mine.run
            AND parent.sha IN (mine.parent, mine.other) AND parent.verdict = 'pass'),
           (SELECT base.latency_us FROM candidates AS base WHERE base.run = mine.run AND base.round = 0))), 0) AS won
FROM (SELECT DISTINCT run, round, candidate, {column} FROM replies
      WHERE role = 'coder' AND model != '' AND {column} != '') AS wrote
JOIN candidates AS mine ON mine.run = wrote.run AND mine.round = wrote.round AND mine.candidate = wrote.candidate
JOIN runs ON runs.id = wrote.run JOIN runs AS here ON here.id = :run
WHERE runs.tenant = here.tenant AND mine.lost = 0 AND mine.verdict IS NOT NULL
  AND (wrote.run = :run AND wrote.round < :round OR wrote.run != :run AND runs.created < here.created)
GROUP BY arm
"""


_ROLES = """
SELECT role, model, count(*) AS calls, sum(tokens_in) AS tokens_in, sum(tokens_out) AS tokens_out,
       sum(tokens_cached) AS tokens_cached, sum(usd) AS usd, sum(usd IS NULL) AS unpriced
FROM replies WHERE run = ? AND role IN ('planner', 'coder', 'critic') GROUP BY role, model ORDER BY role, model
"""


@dataclass(frozen=True)
class RoleCost:
    """What the answers of one model in one role cost.

    Attributes:
        usd: US dollars for the calls whose price is known; None where none is.
        unpriced: Calls without a known price.
    """

    role: str
    model: str
    calls: int
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    usd: float | None
    unpriced: int


@dataclass(frozen=True)
class Exchange:
    """An answer, and what was asked; `asked` is None where nobody was, or an earlier version did not keep it."""

    key: ReplyKey
    asked: Asked | None
    reply: Reply


def _reply(row: sqlite3.Row) -> Reply:
    return Reply(
        text=row["text"],
        tokens_in=row["tokens_in"],
        tokens_out=row["tokens_out"],
        finish=row["finish"],
        refusal=row["refusal"],
        uses=tuple(ToolUse(**use) for use in json.loads(row["uses"])),
        tokens_cached=row["tokens_cached"],
        usd=row["usd"],
        model=row["model"],
        variant=row["variant"],
    )


class Replies:
    """The replies of one run."""

    def __init__(self, database: Database, run: str) -> None:
        self._database = database
        self._run = run

    def find(self, key: ReplyKey) -> Reply | None:
        """Return the answer that arrived earlier, if one did."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT * FROM replies WHERE run = ? AND round = ? AND candidate = ? AND role = ? AND prompt = ?",
                (self._run, key.round, key.candidate, key.role, key.prompt),
            ).fetchone()
        return None if row is None else _reply(row)

    def exchanges(self, roles: tuple[str, ...]) -> list[Exchange]:
        """Return what was answered in some roles, in the order in which it came, with what was asked."""
        marks = ", ".join("?" * len(roles))
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT * FROM replies WHERE run = ? AND role IN ({marks}) ORDER BY rowid",
                (self._run, *roles),
            ).fetchall()
            asked = find_questions(connection, self._run, (row["prompt"] for row in rows))
        return [
            Exchange(
                ReplyKey(row["round"], row["candidate"], row["role"], row["prompt"]),
                asked.get(row["prompt"]),
                _reply(row),
            )
            for row in rows
        ]

    def writers(self, round_: int) -> dict[str, tuple[int, int]]:
        """Return how many kernels of each model were judged, and how many of them gained.

        Those of this run's rounds before `round_` and of earlier runs count, so that a resumed run sees the same.
        """
        return self._tallies("model", round_)

    def variants(self, round_: int) -> dict[str, tuple[int, int]]:
        """Return the same of each way of asking."""
        return self._tallies("variant", round_)

    def variant_of(self, round_: int, candidate: int) -> str | None:
        """Return the way in which a candidate's coder was asked before, empty where there was none to choose.

        None where it was not asked yet.
        """
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT variant FROM replies WHERE run = ? AND round = ? AND candidate = ? AND role = 'coder'"
                " ORDER BY rowid DESC LIMIT 1",
                (self._run, round_, candidate),
            ).fetchone()
        return None if row is None else str(row["variant"])

    def _tallies(self, column: Literal["model", "variant"], round_: int) -> dict[str, tuple[int, int]]:
        query = _TALLIES.format(column=column)
        with self._database.read() as connection:
            rows = connection.execute(query, {"run": self._run, "round": round_}).fetchall()
        return {row["arm"]: (row["tried"], row["won"]) for row in rows}

    def costs(self) -> tuple[RoleCost, ...]:
        """Return what the answers of those who were asked in words cost, by role and model."""
        with self._database.read() as connection:
            rows = connection.execute(_ROLES, (self._run,)).fetchall()
        return tuple(RoleCost(**row) for row in rows)

    def keep(self, key: ReplyKey, reply: Reply, asked: Asked | None = None) -> None:
        """Commit an answer, with what was asked where a model was, before anything is done with it."""
        with self._database.write() as connection:
            if asked is not None:
                keep_question(connection, self._run, key.prompt, asked)
            connection.execute(
                "INSERT OR REPLACE INTO replies (run, round, candidate, role, prompt, text, tokens_in, tokens_out,"
                " finish, refusal, uses, tokens_cached, usd, model, variant)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(self._run, key.round, key.candidate, key.role, key.prompt),
                    *(reply.text, reply.tokens_in, reply.tokens_out, reply.finish, reply.refusal),
                    *(
                        json.dumps([asdict(use) for use in reply.uses]),
                        reply.tokens_cached,
                        reply.usd,
                        reply.model,
                        reply.variant,
                    ),
                ),
            )
