"""The SQLite file behind the run store: its schema, and short transactions, safe with several processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

_BUSY_S = 60.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY,
    created REAL NOT NULL,
    request TEXT NOT NULL,
    task TEXT NOT NULL,
    task_folder TEXT NOT NULL,
    task_sha TEXT NOT NULL,
    device TEXT NOT NULL,
    isolation TEXT NOT NULL,
    model TEXT NOT NULL,
    seed INTEGER NOT NULL,
    state TEXT NOT NULL,
    stopped TEXT,
    error TEXT NOT NULL DEFAULT '',
    seconds REAL NOT NULL DEFAULT 0,
    pid INTEGER NOT NULL,
    pid_started TEXT NOT NULL,
    cancel_asked INTEGER NOT NULL DEFAULT 0,
    baseline TEXT,
    best_round INTEGER,
    best_candidate INTEGER,
    best_sha TEXT,
    tenant TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS candidates (
    run TEXT NOT NULL REFERENCES runs (id),
    round INTEGER NOT NULL,
    candidate INTEGER NOT NULL,
    parent TEXT,
    features TEXT NOT NULL,
    why TEXT NOT NULL,
    sha TEXT,
    identity TEXT,
    duplicate_of TEXT,
    lost INTEGER NOT NULL DEFAULT 0,
    verdict TEXT,
    message TEXT NOT NULL DEFAULT '',
    latency_us REAL,
    provenance TEXT NOT NULL DEFAULT 'estimated',
    speedup REAL,
    tune TEXT NOT NULL DEFAULT '{}',
    report TEXT,
    PRIMARY KEY (run, round, candidate)
);
CREATE TABLE IF NOT EXISTS replies (
    run TEXT NOT NULL REFERENCES runs (id),
    round INTEGER NOT NULL,
    candidate INTEGER NOT NULL,
    role TEXT NOT NULL,
    prompt TEXT NOT NULL,
    text TEXT NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    PRIMARY KEY (run, round, candidate, role, prompt)
);
CREATE TABLE IF NOT EXISTS events (
    run TEXT NOT NULL REFERENCES runs (id),
    number INTEGER NOT NULL,
    time REAL NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (run, number)
);
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    request TEXT NOT NULL,
    device TEXT NOT NULL,
    tenant TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL,
    created REAL NOT NULL,
    run TEXT,
    answer TEXT,
    error TEXT NOT NULL DEFAULT '',
    pid INTEGER NOT NULL DEFAULT 0,
    pid_started TEXT NOT NULL DEFAULT '',
    beat REAL NOT NULL DEFAULT 0,
    cancel_asked INTEGER NOT NULL DEFAULT 0
);
"""
_ADDED = {"tenant": "TEXT NOT NULL DEFAULT ''"}
"""Columns that the runs of earlier versions lack."""


class Database:
    """Opens a connection for each transaction, so that it may be used from any thread and any process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
        if not self._lacking():
            return
        with self.write() as connection:
            for name in self._lacking():
                connection.execute(f"ALTER TABLE runs ADD COLUMN {name} {_ADDED[name]}")

    def _lacking(self) -> list[str]:
        """Return the columns that an earlier version's database lacks."""
        with self.read() as connection:
            present = {row["name"] for row in connection.execute("PRAGMA table_info(runs)")}
        return [name for name in _ADDED if name not in present]

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
        connection = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)
        connection.row_factory = sqlite3.Row
        return connection
