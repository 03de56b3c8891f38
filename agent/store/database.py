"""The SQLite file behind the run store: short transactions, safe with several processes."""

from __future__ import annotations

import sqlite3
import time
import weakref
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from agent.store.migrations import MIGRATIONS, Migration, migrate, refuse_newer, version

_BUSY_S = 60.0
_BETWEEN_TRIES_S = 0.01


class Database:
    """Opens a connection for each transaction, so that it may be used from any thread and any process.

    A process that is killed loses nothing. A machine that loses its power may lose the last moments, and nothing
    else: the log is written to the disk when it is folded into the file, not at each commit.
    """

    def __init__(self, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        """Open a database, made or brought up to date where it has to be.

        Raises:
            UsageError: A newer version of warpwright wrote it.
        """
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection:
            present = version(connection)
            refuse_newer(present, len(migrations))
            _keep_a_log(connection)
        if present < len(migrations):
            with self.write() as connection:
                migrate(connection, migrations)
        # Closing the last connection folds the log into the file: this one is open as long as the object lives.
        weakref.finalize(self, self._connect().close)

    @contextmanager
    def read(self) -> Generator[sqlite3.Connection, None, None]:
        """Give a connection whose statements see one state of the database."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def write(self) -> Generator[sqlite3.Connection, None, None]:
        """Give a connection that holds the write lock; committed on a clean exit, else rolled back."""
        with closing(self._connect()) as connection:
            # IMMEDIATE: one that reads first and writes later would fail, not wait, when another writes.
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection


def _keep_a_log(connection: sqlite3.Connection) -> None:
    """Switch to a write-ahead log for good; SQLite itself does not wait for others that open the file meanwhile."""
    deadline = time.monotonic() + _BUSY_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_BETWEEN_TRIES_S)
