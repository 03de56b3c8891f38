"""Checkpoints of the graph in SQLite."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from sqlalchemy import Connection, inspect

from agent.store import Store
from agent.store.database import Database
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


class _Saver(AsyncSqliteSaver):
    """Lets its connection go once no write is under way.

    LangGraph does not wait for what a failing graph still writes. A connection that is closed between a statement and
    its commit keeps the write lock for as long as anything refers to the statement, and every other search waits.
    """

    def __init__(self, connection: aiosqlite.Connection) -> None:
        # None is the strict list: nothing but built-in types is ever rebuilt from what lies on disk.
        super().__init__(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        self._writes = 0
        self._closing = False
        self._none_left = asyncio.Event()

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint; see `BaseCheckpointSaver`."""
        if self._closing:
            return config
        with self._write():
            return await super().aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a step wrote; of a graph that has ended it is not missed, the step is taken again."""
        if self._closing:
            return
        with self._write():
            await super().aput_writes(config, writes, task_id, task_path)

    async def settle(self) -> None:
        """Begin no write any more, and return once those under way are done."""
        self._closing = True
        if self._writes:
            await self._none_left.wait()

    @contextmanager
    def _write(self) -> Generator[None, None, None]:
        self._writes += 1
        try:
            yield
        finally:
            self._writes -= 1
            if self._closing and self._writes == 0:
                self._none_left.set()


@asynccontextmanager
async def checkpoints(path: Path) -> AsyncGenerator[AsyncSqliteSaver, None]:
    """Open the checkpoints of every run; several processes may use them at a time."""
    Database(path, _MIGRATIONS)
    async with aiosqlite.connect(path, timeout=_BUSY_S) as connection:
        saver = _Saver(connection)
        try:
            yield saver
        finally:
            await saver.settle()


async def free(saver: AsyncSqliteSaver, store: Store) -> None:
    """Drop the checkpoints of searches that ended, and of those that nobody has resumed for `KEPT_S`.

    Both are resumed all the same: what is in the store is neither asked for nor judged again.
    """
    await saver.setup()
    async with saver.conn.execute("SELECT DISTINCT thread_id FROM checkpoints") as rows:
        threads = {str(thread) async for (thread,) in rows}
    for run in threads - store.runs.unfinished(since=time.time() - KEPT_S):
        await saver.adelete_thread(run)
