"""Checkpoints of the graph in PostgreSQL, beside the runs. Only who has such a database imports this."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from agent.search.settling import Settling, strict
from agent.store.engines import AWAY_S, shown
from agent.store.failures import refusal

_SETTING_UP = 7012
"""An advisory lock. It is asked for again and again: a session that waits for it would hold up the indices, which
PostgreSQL makes once every earlier transaction has ended."""
_BETWEEN_TRIES_S = 0.1
Pool = AsyncConnectionPool[AsyncConnection[DictRow]]


class _Saver(Settling, AsyncPostgresSaver):
    def __init__(self, pool: Pool) -> None:
        AsyncPostgresSaver.__init__(self, pool, serde=strict())
        self._pool = pool
        self.begin()

    async def threads(self) -> set[str]:
        """Return the runs that have checkpoints."""
        async with self._pool.connection() as connection:
            rows = await connection.execute("SELECT DISTINCT thread_id FROM checkpoints")
            return {row["thread_id"] async for row in rows}

    async def make_tables(self) -> None:
        """Make LangGraph's tables or bring them up to date, in one process at a time."""
        async with self._pool.connection() as connection:
            while not await _got(connection):
                await asyncio.sleep(_BETWEEN_TRIES_S)
            try:
                await self.setup()
            finally:
                await connection.execute("SELECT pg_advisory_unlock(%s)", (_SETTING_UP,))


@asynccontextmanager
async def postgres_checkpoints(address: str) -> AsyncGenerator[Settling, None]:
    """Open the checkpoints of every run; several processes may use them at a time.

    Raises:
        StoreError: The database does not answer.
    """
    options: dict[str, Any] = {"autocommit": True, "row_factory": dict_row, "prepare_threshold": 0}
    pool: Pool = AsyncConnectionPool(
        address,
        connection_class=AsyncConnection[DictRow],
        min_size=1,
        max_size=4,
        open=False,
        timeout=AWAY_S,
        kwargs=options,
        check=_answers,
    )
    try:
        async with pool:
            saver = _Saver(pool)
            await saver.make_tables()
            try:
                yield saver
            finally:
                await saver.settle()
    except psycopg.Error as error:
        raise refusal(error, shown(address), None) from error


async def _answers(connection: AsyncConnection[DictRow]) -> None:
    """Raise where a connection is dead, so that the pool makes another one."""
    await connection.execute("")


async def _got(connection: AsyncConnection[DictRow]) -> bool:
    rows = await connection.execute("SELECT pg_try_advisory_lock(%s) AS got", (_SETTING_UP,))
    return bool((await rows.fetchone() or {})["got"])
