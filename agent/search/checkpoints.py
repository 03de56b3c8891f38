"""Checkpoints of the graph in SQLite."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from agent.store import Store
from agent.store.database import Database
from agent.store.migrations import Migration

KEPT_S = 30 * 24 * 3600.0
"""How long a search that was cancelled, failed or interrupted goes on from its last step, from its last event on."""
_BUSY_S = 60.0


def _without_judged(connection: sqlite3.Connection) -> None:
    """Drop what evaluations of earlier versions had yet to add to a part of the state that is gone."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'writes'").fetchone() is not None:
        connection.execute("DELETE FROM writes WHERE channel = 'judged'")


def _without_standing(connection: sqlite3.Connection) -> None:
    """Drop what nodes of earlier versions said of the best and of stalling: the store is asked for both."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'writes'").fetchone() is not None:
        connection.execute("DELETE FROM writes WHERE channel IN ('best_us', 'stalled')")


_MIGRATIONS: tuple[Migration, ...] = (_without_judged, _without_standing)
"""LangGraph makes the tables and knows its own versions of them; these are about what this graph keeps there."""


@asynccontextmanager
async def checkpoints(path: Path) -> AsyncGenerator[AsyncSqliteSaver, None]:
    """Open the checkpoints of every run; several processes may use them at a time."""
    Database(path, _MIGRATIONS)
    async with aiosqlite.connect(path, timeout=_BUSY_S) as connection:
        # None is the strict list: nothing but built-in types is ever rebuilt from what lies on disk.
        yield AsyncSqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))


async def free(saver: AsyncSqliteSaver, store: Store) -> None:
    """Drop the checkpoints of searches that ended, and of those that nobody has resumed for `KEPT_S`.

    Both are resumed all the same: what is in the store is neither asked for nor judged again.
    """
    await saver.setup()
    async with saver.conn.execute("SELECT DISTINCT thread_id FROM checkpoints") as rows:
        threads = {str(thread) async for (thread,) in rows}
    for run in threads - store.runs.unfinished(since=time.time() - KEPT_S):
        await saver.adelete_thread(run)
