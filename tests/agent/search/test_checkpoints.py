"""Checkpoints of a search that ended in the middle of a write hold nobody up."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from agent.home import Home
from agent.search.checkpoints import checkpoints

CONFIG = RunnableConfig(configurable={"thread_id": "a", "checkpoint_ns": "", "checkpoint_id": "1"})


async def test_a_write_under_way_at_the_end_is_committed_and_the_lock_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    home = Home(tmp_path)
    async with checkpoints(home) as saver:
        assert isinstance(saver, AsyncSqliteSaver)
        await saver.setup()
        commit, reached = saver.conn.commit, asyncio.Event()

        async def slowly() -> None:
            reached.set()
            await asyncio.sleep(0.05)
            await commit()

        monkeypatch.setattr(saver.conn, "commit", slowly)
        writing = asyncio.create_task(saver.aput_writes(CONFIG, [("channel", "value")], "task"))
        await reached.wait()
    with closing(sqlite3.connect(home.checkpoints, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM writes").fetchone() == (1,)
    await writing


async def test_what_a_graph_writes_after_its_end_is_dropped_without_a_complaint(tmp_path: Path):
    async with checkpoints(Home(tmp_path)) as saver:
        await saver.threads()
    await saver.aput_writes(CONFIG, [("channel", "value")], "task")
