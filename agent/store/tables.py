"""The tables of the run store, described once for both engines.

PostgreSQL's are made from this; SQLite's have grown by `agent.store.migrations`, and a test holds the two together.
`rowid` is the order in which rows came: SQLite has it in every table, and PostgreSQL gets it as a column.
"""

from __future__ import annotations

import zlib
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Dialect,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    TypeDecorator,
)
from sqlalchemy import Text as _Text
from sqlalchemy.sql.dml import Insert


class Words(TypeDecorator[str]):
    """Text. Names of our enumerations are their values; what PostgreSQL has no place for, NUL, is U+FFFD there."""

    impl = _Text
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str | None:
        """Return what the driver is given."""
        if value is None:
            return None
        said = str(value)
        return said.replace("\0", "\ufffd") if dialect.name == "postgresql" else said


class Packed(TypeDecorator[str]):
    """Text that is long and much the same, compressed; read back as it was. Text that is none is read too."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Return what the driver is given."""
        return None if value is None else zlib.compress(value.encode())

    def process_result_value(self, value: bytes | str | None, dialect: Dialect) -> str | None:
        """Return what was stored."""
        return value if value is None or isinstance(value, str) else zlib.decompress(value).decode()


METADATA = MetaData()


def _words(name: str, default: str | None = None) -> Column[str]:
    return Column(name, Words, nullable=False, server_default=default)


def _maybe(name: str) -> Column[str]:
    return Column(name, Words)


def _count(name: str, default: str | None = None) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=default)


def _real(name: str, default: str | None = None) -> Column[float]:
    return Column(name, Double, nullable=False, server_default=default)


def _run(*, key: bool = True) -> Column[str]:
    return Column("run", Words, ForeignKey("runs.id"), nullable=False, primary_key=key)


def _key(name: str, kind: type[Words] | type[Integer] = Words) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False, nullable=False)


def _came() -> Column[int]:
    return Column("rowid", BigInteger, Identity(always=True), nullable=False)


runs = Table(
    "runs",
    METADATA,
    *(
        _key("id"),
        _real("created"),
        _words("request"),
        _words("task"),
        _words("task_folder"),
        _words("task_sha"),
    ),
    *(_words("device"), _words("isolation"), _words("model"), Column("seed", BigInteger, nullable=False)),
    *(_words("state"), _maybe("stopped"), _words("error", ""), _real("seconds", "0")),
    *(_count("pid"), _words("pid_started"), _count("cancel_asked", "0")),
    *(Column("best_round", Integer), Column("best_candidate", Integer), _maybe("best_sha")),
    *(_words("tenant", ""), _words("strategy", ""), _words("kind", ""), _words("architecture", "")),
    *(_maybe("credit"), _words("place", ""), _real("beat", "0"), _came()),
    Column("baseline_report", Packed),
)
candidates = Table(
    "candidates",
    METADATA,
    *(_run(), _key("round", Integer), _key("candidate", Integer), _maybe("parent"), _words("features")),
    *(_words("why"), _maybe("sha"), _maybe("identity"), _maybe("duplicate_of"), _count("lost", "0")),
    *(_maybe("verdict"), _words("message", ""), Column("latency_us", Double)),
    *(_words("provenance", "estimated"), Column("speedup", Double), _words("tune", "{}")),
    *(_maybe("other"), _words("origin", ""), _words("used_features", "[]"), _maybe("niche")),
    _words("without", "[]"),
)
reports = Table(
    "reports",
    METADATA,
    *(_run(), _key("round", Integer), _key("candidate", Integer), Column("report", Packed, nullable=False)),
)
replies = Table(
    "replies",
    METADATA,
    *(
        _run(),
        _key("round", Integer),
        _key("candidate", Integer),
        _key("role"),
        _key("prompt"),
        _words("text"),
    ),
    *(_count("tokens_in"), _count("tokens_out"), _words("finish", ""), _words("refusal", "")),
    *(_words("uses", "[]"), _count("tokens_cached", "0"), Column("usd", Double), _words("model", "")),
    *(_words("variant", ""), _came()),
)
events = Table("events", METADATA, _run(), _key("number", Integer), _real("time"), _words("event"))
jobs = Table(
    "jobs",
    METADATA,
    *(_key("id"), _words("kind"), _words("request"), _words("device"), _words("tenant", ""), _words("state")),
    *(_real("created"), _maybe("run"), _maybe("answer"), _words("error", ""), _count("pid", "0")),
    *(
        _words("pid_started", ""),
        _real("beat", "0"),
        _count("cancel_asked", "0"),
        _words("place", ""),
        _came(),
    ),
)
model_calls = Table(
    "model_calls",
    METADATA,
    *(Column("id", Integer, primary_key=True), _run(key=False), _words("model"), _count("tokens")),
    *(Column("usd", Double), _count("settled", "0")),
)
dialects = Table("dialects", METADATA, _key("endpoint"), _key("model"), _words("dialect"))
messages = Table("messages", METADATA, _key("sha"), Column("body", LargeBinary, nullable=False))
questions = Table("questions", METADATA, _run(), _key("prompt"), _words("messages"), _maybe("tools"))
approvals = Table("approvals", METADATA, _run(), _key("round", Integer), _words("planned"), _maybe("answer"))
client_questions = Table(
    "client_questions", METADATA, _run(), _key("id"), _words("asked"), _maybe("answer"), _came()
)

Index("runs_by_created", runs.c.created)
Index("candidates_by_verdict", candidates.c.run, candidates.c.round, candidates.c.verdict)
Index("kernels_by_sha", candidates.c.sha)
Index("best_by_sha", runs.c.best_sha)
Index("jobs_by_state", jobs.c.state, jobs.c.created)
Index("candidates_by_sha", candidates.c.run, candidates.c.sha)
Index("candidates_by_identity", candidates.c.run, candidates.c.identity)
Index(
    "candidates_by_latency",
    *(candidates.c.run, candidates.c.latency_us),
    postgresql_where=candidates.c.latency_us.is_not(None),
)
Index("model_calls_run", model_calls.c.run)
Index(
    "replies_by_model",
    *(replies.c.run, replies.c.round, replies.c.candidate),
    *(replies.c.role, replies.c.model, replies.c.variant),
)


def insert_new(connection: Connection, table: Table) -> Insert:
    """Return an insertion that leaves a row alone whose key is there already."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table).on_conflict_do_nothing()
