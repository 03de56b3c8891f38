"""The database behind the run store: short transactions, safe with several processes, on SQLite or PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
import weakref
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from sqlalchemy import Connection

from agent.store.engines import BUSY_S, connected, lock, postgres_engine, shown, sqlite_engine
from agent.store.failures import told
from agent.store.migrations import MIGRATIONS, Migration, made_whole, migrate, refuse_newer, version

_BETWEEN_TRIES_S = 0.01
_SCHEMA = "schema"


class Database:
    """Gives a connection for each transaction, so that it may be used from any thread and any process.

    A process that is killed loses nothing. A machine that loses its power may lose the last moments of SQLite, and
    nothing else: the log is written to the disk when it is folded into the file, not at each commit.

    Attributes:
        name: What people know it by: its file, or its address without the password.
    """

    def __init__(self, address: Path | str, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        """Open a database, made or brought up to date where it has to be.

        Args:
            address: The file of SQLite, or the address of a database of PostgreSQL.
            migrations: What the database has to have been through.

        Raises:
            UsageError: A newer version of warpwright wrote it, or it has no such address.
            StoreError: It cannot be used.
        """
        if isinstance(address, Path):
            self.name, self._folder = str(address), str(address.parent)
            with told(self.name, self._folder):
                address.parent.mkdir(parents=True, exist_ok=True)
            engine = sqlite_engine(address)
        else:
            engine = postgres_engine(address)
            self.name, self._folder = shown(address), None
        # Closing SQLite's last connection folds the log into the file: one is open as long as the object lives.
        weakref.finalize(self, engine.dispose)
        self._engine = engine
        self._writing = engine.execution_options(writes=True)
        self._reading = (
            engine if self.is_file else engine.execution_options(isolation_level="REPEATABLE READ")
        )
        self._open(migrations)

    @property
    def is_file(self) -> bool:
        """Whether it is a file of SQLite."""
        return self._folder is not None

    def _open(self, migrations: Sequence[Migration]) -> None:
        with told(self.name, self._folder):
            with self._engine.connect() as connection:
                present = version(connection)
                refuse_newer(present, len(migrations))
            if self.is_file:
                self._keep_a_log()
        if present < len(migrations):
            with self.write(_SCHEMA) as connection:
                if not self.is_file:
                    made_whole(connection)
                migrate(connection, migrations)

    @contextmanager
    def read(self) -> Generator[Connection, None, None]:
        """Give a connection whose statements see one state of the database."""
        with told(self.name, self._folder), connected(self._reading) as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, of: str) -> Generator[Connection, None, None]:
        """Give a connection that alone writes to something; committed on a clean exit, else rolled back.

        Args:
            of: What is written to: a run, or the name of a table of what belongs to no run.
        """
        with told(self.name, self._folder), connected(self._writing) as connection, connection.begin():
            lock(connection, of)
            yield connection

    def _keep_a_log(self) -> None:
        """Switch to a write-ahead log for good; SQLite does not wait for others that open the file meanwhile."""
        deadline = time.monotonic() + BUSY_S
        with self._engine.connect() as pooled:
            connection = cast("sqlite3.Connection", pooled.connection.driver_connection)
            while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                try:
                    connection.execute("PRAGMA journal_mode = WAL")
                except sqlite3.OperationalError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(_BETWEEN_TRIES_S)
