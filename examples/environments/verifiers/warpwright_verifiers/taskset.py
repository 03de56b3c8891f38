"""The taskset: each of warpwright's tasks, its answer judged by `warpwright check`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import verifiers.v1 as vf
from pydantic import Field

from warpwright_verifiers.command import Judged, judge, prompt_of, task_folders


class KernelData(vf.TaskData):
    """A task on the wire: its folder, and options of `warpwright check`."""

    folder: str
    options: tuple[str, ...] = ()


class KernelTasksetConfig(vf.TasksetConfig):
    """Which tasks, and how they are judged."""

    tasks: list[str] = Field(default_factory=list)
    """Names of tasks; all that warpwright lists where none is given."""
    device: str = "sim:h200"
    options: list[str] = Field(default_factory=list)
    """More options of `warpwright check`, for example `--tools URL`."""


class KernelTask(vf.Task[KernelData]):
    """One answer is one kernel file."""

    async def _judged(self, trace: vf.Trace) -> Judged:
        # The reward and the metrics ask at the same time, and one judgement answers all.
        answer, asked = trace.last_reply, self.__dict__.setdefault("_asked", {})
        if answer not in asked:
            asked[answer] = asyncio.ensure_future(judge(answer, self.data.folder, self.data.options))
        return await asked[answer]

    @vf.reward
    async def stage_then_speed(self, trace: vf.Trace) -> float:
        """How far the kernel came, then how fast it is."""
        return (await self._judged(trace)).reward

    @vf.metric
    async def passed(self, trace: vf.Trace) -> float:
        """Whether it is right."""
        return float((await self._judged(trace)).verdict == "pass")

    @vf.metric
    async def speedup(self, trace: vf.Trace) -> float:
        """Over the plain kernel; 0 where it was not timed."""
        return (await self._judged(trace)).speedup


class KernelTaskset(vf.Taskset[KernelTask, KernelTasksetConfig]):
    """warpwright's tasks."""

    def load(self) -> Iterator[KernelTask]:
        """Read each task's files."""
        config, folders = self.config, task_folders()
        if unknown := [name for name in config.tasks if name not in folders]:
            raise ValueError(f"no task is called {', '.join(unknown)}; known: {', '.join(sorted(folders))}")
        for name in config.tasks or sorted(folders):
            yield KernelTask(
                KernelData(
                    name=name,
                    prompt=prompt_of(folders[name], config.device),
                    folder=str(folders[name]),
                    options=("--device", config.device, *config.options),
                ),
                config.task,
            )
