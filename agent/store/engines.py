"""The two engines behind the run store: SQLite in a file, PostgreSQL by its address."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from sandbox.errors import MissingDependencyError, UsageError

BUSY_S = 60.0
"""How long a transaction waits for others."""
AWAY_S = 30.0
"""How long a transaction waits for a database that was there before and restarts."""
_BETWEEN_TRIES_S = 0.1
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:of, 7011))")
_SHARED_LOCK = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:of, 7011))")


def sqlite_engine(path: Path) -> Engine:
    """Return an engine for a file; its connections may be used from any thread, one thread at a time."""
    engine = create_engine(
        "sqlite://",
        creator=_opener(path),
        poolclass=QueuePool,
        pool_size=4,
        max_overflow=-1,
        pool_reset_on_return=None,
    )
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def postgres_engine(address: str) -> Engine:
    """Return an engine for a database of PostgreSQL.

    Raises:
        UsageError: The address is none.
        MissingDependencyError: The driver is not installed.
    """
    try:
        url = make_url(address).set(drivername="postgresql+psycopg")
    except ArgumentError as error:
        raise UsageError(f"the address of the database cannot be read: {error}") from None
    try:
        engine = create_engine(
            url,
            pool_pre_ping=True,
            pool_size=4,
            max_overflow=28,
            connect_args={"connect_timeout": 10, "application_name": "warpwright"},
        )
    except ImportError:
        raise MissingDependencyError(
            "a database of PostgreSQL needs its driver: pip install 'warpwright[postgres]'"
        ) from None
    event.listen(engine, "connect", _limit_waits)
    return engine


def shown(address: str) -> str:
    """Return an address of PostgreSQL as people may see it, without its password."""
    return make_url(address).render_as_string(hide_password=True)


def connected(engine: Engine) -> Connection:
    """Return a connection; where a database of PostgreSQL restarts, once it is back."""
    deadline = time.monotonic() + AWAY_S
    while True:
        try:
            return engine.connect()
        except OperationalError:
            if engine.dialect.name == "sqlite" or time.monotonic() > deadline:
                raise
            time.sleep(_BETWEEN_TRIES_S)


def lock(connection: Connection, of: str, *, shared: bool = False) -> None:
    """Wait until no other transaction writes to the same thing; SQLite has one writer at a time anyway.

    Args:
        connection: In a transaction, which holds the lock to its end.
        of: What is written to.
        shared: Let others in that share it too.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_SHARED_LOCK if shared else _LOCK, {"of": of})


def follow_ids(connection: Connection) -> None:
    """Have PostgreSQL number model calls on from the last of those that were brought in with their numbers."""
    if connection.dialect.name == "postgresql":
        last = "SELECT setval(pg_get_serial_sequence('model_calls', 'id'), max(id)) FROM model_calls"
        connection.exec_driver_sql(f"{last} HAVING max(id) IS NOT NULL")


def _opener(path: Path) -> Callable[[], Any]:
    import sqlite3

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.create_function("ln", 1, math.log, deterministic=True)  # which not every build has
        return connection

    return connect


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: one that reads first and writes later would fail, not wait, when another writes.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _limit_waits(connection: Any, _: ConnectionPoolEntry) -> None:
    """Wait for locks as long as SQLite does, and have a stopped process hold none for ever."""
    connection.execute(f"SET lock_timeout = '{int(BUSY_S)}s'")
    connection.execute("SET idle_in_transaction_session_timeout = '120s'")
    connection.commit()
