"""A server lends its toolbox: judgements as short-lived jobs that a `RemoteToolbox` starts, awaits, withdraws."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.context import ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS

from sandbox.errors import MissingDependencyError, UsageError, WarpwrightError
from tools.mcp.remote_calls import (
    EXTENSION,
    PROTOCOL,
    About,
    AboutParams,
    JobParams,
    Judgement,
    JudgeParams,
    dump,
    order_of,
)
from tools.reports import AnyReport
from tools.tasks import folder as task_folder
from tools.tasks.task import Task
from tools.toolbox import Toolbox

MOST_AT_ONCE = 32
"""Judgements of one caller that run or wait to be read."""
ABANDONED_S = 90.0
"""A judgement that nobody asks for any more is stopped; its client is gone."""

_Ctx = ServerRequestContext[Any, Any]


@dataclass
class _Job:
    caller: str | None
    work: asyncio.Task[AnyReport]
    end: asyncio.TimerHandle


class Lending(Extension):
    """The extension of a server whose lifespan yields something with a `toolbox`."""

    identifier = EXTENSION

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}

    def methods(self) -> Sequence[MethodBinding]:
        """Return the requests that this extension answers."""
        only = frozenset({PROTOCOL})
        return [
            MethodBinding("warpwright/toolbox", AboutParams, self._about, only),
            MethodBinding("warpwright/judge", JudgeParams, self._judge, only),
            MethodBinding("warpwright/judgement", JobParams, self._judgement, only),
            MethodBinding("warpwright/withdraw", JobParams, self._withdraw, only),
        ]

    async def aclose(self) -> None:
        """Stop every judgement."""
        await _stopped([self._forget(job) for job in list(self._jobs)])

    async def _about(self, ctx: _Ctx, params: AboutParams) -> About:
        toolbox: Toolbox = ctx.lifespan_context.toolbox
        return About(device=toolbox.device, isolation=toolbox.isolation)

    async def _judge(self, ctx: _Ctx, params: JudgeParams) -> Judgement:
        caller = _caller()
        if sum(job.caller == caller for job in self._jobs.values()) >= MOST_AT_ONCE:
            raise MCPError(INVALID_PARAMS, f"{MOST_AT_ONCE} judgements are under way already")
        try:
            task = await asyncio.to_thread(_task, params)
        except WarpwrightError as error:
            return Judgement(job="", state="failed", problem="usage", message=str(error))
        toolbox: Toolbox = ctx.lifespan_context.toolbox
        name = secrets.token_hex(16)
        work = asyncio.create_task(toolbox.do(order_of(params, task)))
        self._jobs[name] = _Job(caller, work, self._ending(name))
        return Judgement(job=name, state="working")

    async def _judgement(self, ctx: _Ctx, params: JobParams) -> Judgement:
        job = self._job(params.job)
        job.end.cancel()
        try:
            await asyncio.wait({job.work}, timeout=params.wait_s)
        finally:
            job.end = self._ending(params.job)
        if not job.work.done():
            return Judgement(job=params.job, state="working")
        # Kept until it is abandoned: an answer that was lost on its way can be asked for once more.
        return _told(params.job, job.work)

    async def _withdraw(self, ctx: _Ctx, params: JobParams) -> Judgement:
        self._job(params.job)
        await _stopped([self._forget(params.job)])
        return Judgement(job=params.job, state="failed", problem="worker", message="withdrawn")

    def _job(self, name: str) -> _Job:
        job = self._jobs.get(name)
        if job is None or job.caller != _caller():
            raise MCPError(INVALID_PARAMS, f"no judgement is called {name!r}")
        return job

    def _ending(self, name: str) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(ABANDONED_S, self._forget, name)

    def _forget(self, name: str) -> asyncio.Task[AnyReport] | None:
        job = self._jobs.pop(name, None)
        if job is None:
            return None
        job.end.cancel()
        job.work.cancel()
        return job.work


def _caller() -> str | None:
    token = get_access_token()
    return None if token is None else token.client_id


def _task(params: JudgeParams) -> Task:
    """Read the task that came with a call, and see that it is the one that its client means."""
    with tempfile.TemporaryDirectory(prefix="warpwright-task-") as name:
        folder = Path(name)
        for file, text in (
            ("task.toml", params.task_toml),
            ("reference.py", params.reference),
            ("baseline.cu", params.baseline),
        ):
            (folder / file).write_bytes(text.encode())
        task = task_folder.load(folder)
    if task.sha != params.sha:
        raise UsageError("the task changed while it was sent; try once more")
    return task


def _told(name: str, work: asyncio.Task[AnyReport]) -> Judgement:
    try:
        return Judgement(job=name, state="done", report=dump(work.result()))
    except UsageError as error:
        return Judgement(job=name, state="failed", problem="usage", message=str(error))
    except MissingDependencyError as error:
        return Judgement(job=name, state="failed", problem="missing", message=str(error))
    except (WarpwrightError, asyncio.CancelledError) as error:
        message = str(error) or "the judgement was stopped"
        return Judgement(job=name, state="failed", problem="worker", message=message)


async def _stopped(work: Sequence[asyncio.Task[AnyReport] | None]) -> None:
    tasks = [task for task in work if task is not None]
    await asyncio.gather(*tasks, return_exceptions=True)
