"""Checkpoints of the graph: in a file of SQLite, or in PostgreSQL beside the runs."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from sqlalchemy import Connection, inspect

from agent.home import Home
from agent.search.settling import Settling, strict
from agent.store import Store
from agent.store.address import database_of
from agent.store.database import Database
from agent.store.failures import told
from agent.store.migrations import Migration

KEPT_S = 30 * 24 * 3600.0
"""How long a search that was cancelled, failed or interrupted goes on from its last step, from its last event on."""
_BUSY_S = 60.0


def _without_judged(connection: Connection) -> None:
    """Drop what evaluations of earlier versions had yet to add to a part of the state that is gone."""
    if inspect(connection).has_table("writes"):
        connection.exec_driver_sql("DELETE FROM writes WHERE channel = 'judged'")


def _without_standing(connection: Connection) -> None:
    """Drop what nodes of earlier versions said of the best and of stalling: the store is asked for both."""
    if inspect(connection).has_table("writes"):
        connection.exec_driver_sql("DELETE FROM writes WHERE channel IN ('best_us', 'stalled')")


_MIGRATIONS: tuple[Migration, ...] = (_without_judged, _without_standing)
"""LangGraph makes the tables and knows its own versions of them; these are about what this graph keeps there."""


class _FileSaver(Settling, AsyncSqliteSaver):
    def __init__(self, connection: aiosqlite.Connection) -> None:
        AsyncSqliteSaver.__init__(self, connection, serde=strict())
        self.begin()

    async def threads(self) -> set[str]:
        """Return the runs that have checkpoints."""
        await self.setup()
        async with self.conn.execute("SELECT DISTINCT thread_id FROM checkpoints") as rows:
            return {str(thread) async for (thread,) in rows}


@asynccontextmanager
async def checkpoints(home: Home) -> AsyncGenerator[Settling, None]:
    """Open the checkpoints of every run; several processes may use them at a time.

    Raises:
        StoreError: The database cannot be used, or refuses meanwhile.
    """
    address = database_of(home)
    if isinstance(address, str):
        from agent.search.postgres_checkpoints import postgres_checkpoints

        async with postgres_checkpoints(address) as saver:
            yield saver
        return
    async with _in_file(home.checkpoints) as saver:
        yield saver


@asynccontextmanager
async def _in_file(path: Path) -> AsyncGenerator[_FileSaver, None]:
    Database(path, _MIGRATIONS)
    with told(str(path), str(path.parent)):
        async with aiosqlite.connect(path, timeout=_BUSY_S) as connection:
            saver = _FileSaver(connection)
            try:
                yield saver
            finally:
                await saver.settle()


async def free(saver: Settling, store: Store) -> int:
    """Drop the checkpoints of searches that ended, and of those that nobody has resumed for `KEPT_S`.

    Both are resumed all the same: what is in the store is neither asked for nor judged again.

    Returns:
        Of how many searches.
    """
    ended = await saver.threads() - store.runs.unfinished(since=time.time() - KEPT_S)
    for run in ended:
        await saver.adelete_thread(run)
    return len(ended)
