"""The search as MCP tools: start, bounded wait, result, cancel, list."""

from __future__ import annotations

import time
from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from agent.mcp.answers import SearchList, SearchOutcome, SearchStatus
from agent.mcp.sampling import Asked, Said, can_sample, take_answer, with_what_is_wanted
from agent.mcp.search_service import SearchService
from agent.mcp.services import Services, services_of
from agent.results import RunState, SearchRequest
from agent.search.written_plans import WrittenPlan
from agent.strategy_names import StrategyName
from sandbox.errors import WarpwrightError
from tools.mcp.arguments import clamped
from tools.mcp.tool import ReadableTool

_NO_SAMPLING = (
    "model: this client offers no sampling, so its own model cannot be asked; name a chat model, or leave it"
    " unset for the composer"
)
LONGEST_WAIT_S = 45
"""Many clients give up on a call after 60 s."""

_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_STARTS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)
_STOPS = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)
_Run = Annotated[
    str, Field(max_length=128, description="The run's name, as start_search and list_searches give it.")
]
_Ctx = Context[Services]


def search_tools() -> list[ReadableTool]:
    """Return the search tools."""
    return [
        ReadableTool.of("start_search", "Start a kernel search", start_search, _STARTS),
        ReadableTool.of("search_status", "Wait for a kernel search", search_status, _READS),
        ReadableTool.of("search_result", "Read a search's best kernel", search_result, _READS),
        ReadableTool.of("cancel_search", "Cancel a kernel search", cancel_search, _STOPS),
        ReadableTool.of("list_searches", "List kernel searches", list_searches, _READS),
    ]


async def start_search(  # noqa: PLR0913 - they are the arguments of the tool
    ctx: _Ctx,
    task: Annotated[
        str | None,
        Field(max_length=4096, description="A task's name, see list_tasks."),
    ] = None,
    resume: Annotated[
        str | None, Field(max_length=128, description="A run to go on with, instead of a task.")
    ] = None,
    model: Annotated[
        str | None,
        Field(
            max_length=256,
            description="A chat model; unset, the server's own (WARPWRIGHT_MODEL), else the composer. client: your "
            "own, without a key, where this client offers sampling; it answers while you call search_status.",
        ),
    ] = None,
    candidates: Annotated[int, Field(ge=1, le=32, description="Kernels a round.")] = 4,
    depth: Annotated[int, Field(ge=1, le=64, description="Rounds at most.")] = 4,
    strategy: Annotated[
        StrategyName,
        Field(
            description="What each round builds on: fsr, the fastest of the round before; elites, the best kernel "
            "of each kind; tree, best first with backtracking; auto chooses by budget."
        ),
    ] = StrategyName.AUTO,
    seed: Annotated[int | None, Field(description="Repeats what depends on chance.")] = None,
    device: Annotated[
        str | None, Field(max_length=64, description="Where to judge; unset, the server's own device.")
    ] = None,
    approve: Annotated[
        bool,
        Field(description="Wait before each round until its plans, shown by search_status, are approved."),
    ] = False,
    plans: Annotated[
        list[WrittenPlan] | None,
        Field(
            max_length=32, description="With resume: in place of the plans that wait; unset approves them."
        ),
    ] = None,
) -> SearchStatus:
    """Start a search for a fast correct CUDA kernel and return its run name at once.

    Use it when someone wants a faster kernel for a task; then call search_status until state is not
    "running", and search_result for the kernel. To judge a kernel you wrote yourself use test_kernel.
    """
    service = _searches(ctx)
    if (task is None) == (resume is None):
        msg = "give either task (to start a search) or resume (to go on with one that stopped early)"
        raise ToolError(msg)
    if plans is not None and resume is None:
        raise ToolError("plans are those of a run that waits for approval: name it by resume")
    try:
        if resume is not None:
            return await service.go_on(resume, plans)
        assert task is not None
        request = SearchRequest(
            task=task,
            device=_device(ctx, device),
            model=model,
            candidates=candidates,
            depth=depth,
            strategy=strategy,
            seed=seed,
            approve=approve,
        )
        if request.asks_client and not can_sample(ctx):
            raise ToolError(_NO_SAMPLING)
        return await service.start(service.completed(request))
    except WarpwrightError as error:
        raise ToolError(str(error)) from error


async def search_status(
    ctx: _Ctx,
    run: _Run,
    wanted: Asked,
    said: Said,
    wait_s: Annotated[
        float,
        clamped(0, LONGEST_WAIT_S),
        Field(ge=0, le=LONGEST_WAIT_S, description="Hold the answer until the search ends, at most so long."),
    ] = 25,
) -> SearchStatus:
    """Say where a search stands, holding the answer until it ends or wait_s has passed.

    Use it after start_search, again while state is "running"; next_step names the call to make after that.
    """
    service = _searches(ctx)
    await take_answer(ctx, run, wanted, said)
    deadline = time.monotonic() + (0 if wanted.asks else wait_s)
    reported = -1
    try:
        while True:
            status = await service.status(run)
            if status.candidates_judged > reported:
                reported = status.candidates_judged
                await ctx.report_progress(reported, status.candidates_total, status.message)
            left = deadline - time.monotonic()
            if status.state is not RunState.RUNNING or status.plans or left <= 0:
                return await with_what_is_wanted(ctx, status)
            await service.wait(run, left)
    except WarpwrightError as error:
        raise ToolError(str(error)) from error


async def search_result(ctx: _Ctx, run: _Run) -> SearchOutcome:
    """Read what a search found: the best correct kernel with its text, and the latest candidates' fate.

    Use it when search_status says that the search ended; while it runs, this is the best so far. The whole
    report and the profile of the best are linked as resources.
    """
    try:
        return await _searches(ctx).outcome(run)
    except WarpwrightError as error:
        raise ToolError(str(error)) from error


async def cancel_search(ctx: _Ctx, run: _Run) -> SearchStatus:
    """Stop a search that is no longer wanted. What it found is kept; a search that ended is left as it is."""
    try:
        return await _searches(ctx).cancel(run)
    except WarpwrightError as error:
        raise ToolError(str(error)) from error


async def list_searches(
    ctx: _Ctx,
    limit: Annotated[int, clamped(1, 100), Field(ge=1, le=100, description="The newest so many.")] = 20,
) -> SearchList:
    """List the searches of this machine, newest first, also those of the command line and of earlier servers.

    Use it to find a run whose name you lost.
    """
    return await _searches(ctx).listing(limit)


def _device(ctx: _Ctx, device: str | None) -> str:
    devices = services_of(ctx).devices
    if device is not None and device not in devices:
        raise ToolError(f"device: this server judges on {', '.join(devices)}; found {device!r}")
    return device or devices[0]


def _searches(ctx: _Ctx) -> SearchService:
    return services_of(ctx).searches
