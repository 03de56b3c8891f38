"""The table of replies: every answer of a model, kept as it arrives, so that none is paid for twice."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    RowMapping,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
)

from agent.store.credits import LATEST
from agent.store.database import Database
from agent.store.questions import Asked, find_questions, keep_question
from agent.store.tables import candidates, replies, runs
from sandbox.verdict import Verdict


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


_C = replies.c
_CODER = candidates.alias("mine")
_PARENT, _BASE, _HERE = candidates.alias("parent"), candidates.alias("base"), runs.alias("here")
# A gain is over the faster of the kernels that a candidate started from, or over the baseline.
_BEFORE = func.coalesce(
    select(func.min(_PARENT.c.latency_us))
    .where(
        *(_PARENT.c.run == _CODER.c.run, _PARENT.c.verdict == Verdict.PASS),
        _PARENT.c.sha.in_([_CODER.c.parent, _CODER.c.other]),
    )
    .correlate(_CODER)
    .scalar_subquery(),
    select(_BASE.c.latency_us)
    .where(_BASE.c.run == _CODER.c.run, _BASE.c.round == 0)
    .correlate(_CODER)
    .scalar_subquery(),
)
_GAINED = and_(_CODER.c.verdict == Verdict.PASS, _CODER.c.latency_us < _BEFORE)


def _tallies(arm: Column[str], of_runs: ColumnElement[bool]) -> Select[Any, int, Any]:
    """Return how many judged kernels of some runs each value of a column of replies wrote, and how many gained."""
    wrote = (
        select(_C.run, _C.round, _C.candidate, arm.label("arm"))
        .where(of_runs, _C.role == "coder", _C.model != "", arm != "")
        .distinct()
        .subquery("wrote")
    )
    same = and_(
        *(wrote.c.run == _CODER.c.run, wrote.c.round == _CODER.c.round),
        wrote.c.candidate == _CODER.c.candidate,
    )
    return (
        select(wrote.c.arm, func.count(), func.coalesce(func.sum(case((_GAINED, 1), else_=0)), 0))
        .join(_CODER, same)
        .where(_CODER.c.lost == 0, _CODER.c.verdict.is_not(None))
        .group_by(wrote.c.arm)
    )


_OF_RUN = _C.run == bindparam("of")
_SO_FAR = and_(_OF_RUN, _C.round < bindparam("before"))
_EARLIER = _C.run.in_(
    select(runs.c.id)
    .join(_HERE, _HERE.c.id == bindparam("of"))
    .where(runs.c.tenant == _HERE.c.tenant, runs.c.created < _HERE.c.created)
    .order_by(runs.c.created.desc(), runs.c.rowid.desc())
    .limit(LATEST)
)
_BEFORE_AND_NOW = {
    arm.name: (_tallies(arm, _EARLIER), _tallies(arm, _SO_FAR)) for arm in (_C.model, _C.variant)
}
_PLACE = and_(_OF_RUN, _C.round == bindparam("at_round"), _C.candidate == bindparam("at_candidate"))
_ONE = and_(_PLACE, _C.role == bindparam("as_role"), _C.prompt == bindparam("to"))
_FIND = select(replies).where(_ONE)
_DROP = delete(replies).where(_ONE)
_EXCHANGES = (
    select(replies).where(_OF_RUN, _C.role.in_(bindparam("roles", expanding=True))).order_by(_C.rowid)
)
_VARIANT = select(_C.variant).where(_PLACE, _C.role == "coder").order_by(_C.rowid.desc()).limit(1)
_ROLES = (
    select(
        *(_C.role, _C.model, func.count().label("calls"), func.sum(_C.tokens_in).label("tokens_in")),
        *(func.sum(_C.tokens_out).label("tokens_out"), func.sum(_C.tokens_cached).label("tokens_cached")),
        func.sum(_C.usd).label("usd"),
        func.sum(case((_C.usd.is_(None), 1), else_=0)).label("unpriced"),
    )
    .where(_OF_RUN, _C.role.in_(["planner", "coder", "critic"]))
    .group_by(_C.role, _C.model)
    .order_by(_C.role, _C.model)
)


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


def _reply(row: RowMapping) -> Reply:
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
        self._before: dict[str, dict[str, tuple[int, int]]] = {}
        """What earlier runs say of each value of a column: other runs go on, and adding up takes its time."""

    def find(self, key: ReplyKey) -> Reply | None:
        """Return the answer that arrived earlier, if one did."""
        with self._database.read() as connection:
            row = connection.execute(_FIND, self._at(key)).mappings().first()
        return None if row is None else _reply(row)

    def exchanges(self, roles: tuple[str, ...]) -> list[Exchange]:
        """Return what was answered in some roles, in the order in which it came, with what was asked."""
        with self._database.read() as connection:
            rows = connection.execute(_EXCHANGES, {"of": self._run, "roles": roles}).mappings().all()
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

        Those of this run's rounds before `round_` and of the latest runs before it count (`LATEST` says how many);
        the latter as they were when this was first asked.
        """
        return self._tally("model", round_)

    def variants(self, round_: int) -> dict[str, tuple[int, int]]:
        """Return the same of each way of asking."""
        return self._tally("variant", round_)

    def variant_of(self, round_: int, candidate: int) -> str | None:
        """Return the way in which a candidate's coder was asked before, empty where there was none to choose.

        None where it was not asked yet.
        """
        at = {"of": self._run, "at_round": round_, "at_candidate": candidate}
        with self._database.read() as connection:
            return connection.execute(_VARIANT, at).scalar()

    def costs(self) -> tuple[RoleCost, ...]:
        """Return what the answers of those who were asked in words cost, by role and model."""
        with self._database.read() as connection:
            rows = connection.execute(_ROLES, {"of": self._run}).mappings().all()
        return tuple(RoleCost(**row) for row in rows)

    def keep(self, key: ReplyKey, reply: Reply, asked: Asked | None = None) -> None:
        """Commit an answer, with what was asked where a model was, before anything is done with it."""
        row = {**asdict(reply), "uses": json.dumps([asdict(use) for use in reply.uses])}
        with self._database.write(self._run) as connection:
            if asked is not None:
                keep_question(connection, self._run, key.prompt, asked)
            connection.execute(_DROP, self._at(key))
            connection.execute(insert(replies), {"run": self._run, **asdict(key), **row})

    def _at(self, key: ReplyKey) -> dict[str, object]:
        place = {"of": self._run, "at_round": key.round, "at_candidate": key.candidate}
        return {**place, "as_role": key.role, "to": key.prompt}

    def _tally(self, arm: str, round_: int) -> dict[str, tuple[int, int]]:
        earlier, so_far = _BEFORE_AND_NOW[arm]
        with self._database.read() as connection:
            if arm not in self._before:
                rows = connection.execute(earlier, {"of": self._run}).all()
                self._before[arm] = {name: (tried, won) for name, tried, won in rows}
            now = connection.execute(so_far, {"of": self._run, "before": round_}).all()
        found = dict(self._before[arm])
        for name, tried, won in now:
            before = found.get(name, (0, 0))
            found[name] = (before[0] + tried, before[1] + won)
        return found
