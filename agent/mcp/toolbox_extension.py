"""A server's toolbox for other machines: the requests by which a `RemoteToolbox` has kernels judged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS

from agent.mcp.services import Services
from agent.store.jobs import Job, JobState
from sandbox.errors import UsageError
from tools.mcp.remote_calls import (
    EXTENSION,
    PROTOCOL,
    About,
    AboutParams,
    JobParams,
    JudgeParams,
    RemoteJudgement,
)
from tools.order_problem import OrderProblem

_Ctx = ServerRequestContext[Any, Any]


class ToolboxExtension(Extension):
    """The extension of a server whose lifespan yields a `Services`."""

    identifier = EXTENSION

    def methods(self) -> Sequence[MethodBinding]:
        """Return the requests that this extension answers."""
        only = frozenset({PROTOCOL})
        return [
            MethodBinding("warpwright/toolbox", AboutParams, _about, only),
            MethodBinding("warpwright/judge", JudgeParams, _judge, only),
            MethodBinding("warpwright/judgement", JobParams, _judgement, only),
            MethodBinding("warpwright/withdraw", JobParams, _withdraw, only),
        ]


def _services(ctx: _Ctx) -> Services:
    return ctx.lifespan_context


async def _about(ctx: _Ctx, params: AboutParams) -> About:
    toolbox = _services(ctx).toolbox
    return About(device=toolbox.device, isolation=toolbox.isolation, version=version("warpwright"))


async def _judge(ctx: _Ctx, params: JudgeParams) -> RemoteJudgement:
    try:
        return RemoteJudgement(job=await _services(ctx).judgements.start(params), state="working")
    except UsageError as error:
        raise MCPError(INVALID_PARAMS, str(error)) from error


async def _judgement(ctx: _Ctx, params: JobParams) -> RemoteJudgement:
    try:
        return _told(await _services(ctx).judgements.wait(params.job, params.wait_s))
    except UsageError as error:
        raise MCPError(INVALID_PARAMS, str(error)) from error


async def _withdraw(ctx: _Ctx, params: JobParams) -> RemoteJudgement:
    try:
        await _services(ctx).judgements.withdraw(params.job)
    except UsageError as error:
        raise MCPError(INVALID_PARAMS, str(error)) from error
    return RemoteJudgement(job=params.job, state="failed", problem=OrderProblem.WORKER, message="withdrawn")


def _told(job: Job) -> RemoteJudgement:
    if not job.state.ended:
        return RemoteJudgement(job=job.id, state="working")
    if job.state is JobState.COMPLETED:
        return RemoteJudgement(job=job.id, state="done", report=json.loads(job.answer or ""))
    said = job.error or "the judgement was stopped"
    return RemoteJudgement(
        job=job.id, state="failed", problem=job.problem or OrderProblem.WORKER, message=said
    )
