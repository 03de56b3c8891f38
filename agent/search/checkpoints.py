"""Checkpoints of the graph in SQLite."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

_BUSY_S = 60.0


@asynccontextmanager
async def checkpoints(path: Path) -> AsyncGenerator[AsyncSqliteSaver, None]:
    """Open the checkpoints of every run; several processes may use them at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    async with aiosqlite.connect(path, timeout=_BUSY_S) as connection:
        # None is the strict list: nothing but built-in types is ever rebuilt from what lies on disk.
        yield AsyncSqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
