"""Checkpoints let their connection go once no write is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer


def strict() -> JsonPlusSerializer:
    """Return how checkpoints are read: nothing but built-in types is ever rebuilt from what is stored."""
    return JsonPlusSerializer(allowed_msgpack_modules=None)  # None is the strict list


class Settling(BaseCheckpointSaver[Any]):
    """What a saver of either engine does besides.

    LangGraph does not wait for what a failing graph still writes. A connection of SQLite that is closed between a
    statement and its commit keeps the write lock for as long as anything refers to the statement, and every other
    search waits.
    """

    def begin(self) -> None:
        """Say that writes may come."""
        self._under_way = 0
        self._closing = False
        self._none_left = asyncio.Event()

    async def threads(self) -> set[str]:
        """Return the runs that have checkpoints."""
        raise NotImplementedError

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
        if self._under_way:
            await self._none_left.wait()

    @contextmanager
    def _write(self) -> Generator[None, None, None]:
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if self._closing and self._under_way == 0:
                self._none_left.set()
