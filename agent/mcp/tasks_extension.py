"""The optional tasks extension (SEP-2663) on start_search, for clients that offer it.

Such a client waits for the search by `tasks/get` with its run as the task's id, and its model sees one call that ends
with the search's last status. Nothing is kept here: tasks are runs, so any later server answers for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp.types import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    RequestParams,
)
from pydantic import Field

from agent.mcp.services import Services
from agent.model_settings import CLIENT
from agent.results import RunState
from sandbox.errors import UsageError
from tools.mcp.tool import result_of

EXTENSION = "io.modelcontextprotocol/tasks"
_SINCE = frozenset({"2026-07-28"})
_POLL_MS = 2000
_STATES = {
    RunState.RUNNING: "working",
    RunState.COMPLETED: "completed",
    RunState.CANCELLED: "cancelled",
    RunState.FAILED: "failed",
    RunState.INTERRUPTED: "failed",
}
_Ctx = ServerRequestContext[Any, Any]


class TaskParams(RequestParams):
    """Which task is meant."""

    task_id: str = Field(alias="taskId", max_length=128)


class SearchTasks(Extension):
    """Turns start_search into a task where the client offers tasks."""

    identifier = EXTENSION

    def methods(self) -> Sequence[MethodBinding]:
        """Return the requests that this extension answers."""
        return [
            MethodBinding("tasks/get", TaskParams, self._get, _SINCE),
            MethodBinding("tasks/update", TaskParams, self._update, _SINCE),
            MethodBinding("tasks/cancel", TaskParams, self._cancel, _SINCE),
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: _Ctx, call_next: CallNext
    ) -> HandlerResult:
        """Answer start_search with a task, once the search has begun."""
        result = await call_next(ctx)
        if params.name != "start_search" or not _offers_tasks(ctx) or not isinstance(result, CallToolResult):
            return result
        content = cast("dict[str, Any]", result.structured_content or {})
        asked = params.arguments or {}
        if asked.get("model") == CLIENT or asked.get(
            "approve"
        ):  # its client must call search_status, to answer
            return result
        return result if result.is_error else {"resultType": "task", **await _view(ctx, content["run"])}

    async def _get(self, ctx: _Ctx, params: TaskParams) -> HandlerResult:
        _admit(ctx, params)
        return {"resultType": "complete", **await _view(ctx, params.task_id)}

    async def _update(self, ctx: _Ctx, params: TaskParams) -> HandlerResult:
        """Take answers to what a task asked; a search asks nothing, so they are those to be ignored."""
        _admit(ctx, params)
        await _view(ctx, params.task_id)
        return {"resultType": "complete"}

    async def _cancel(self, ctx: _Ctx, params: TaskParams) -> HandlerResult:
        _admit(ctx, params)
        try:
            await _services(ctx).searches.cancel(params.task_id)
        except UsageError as error:
            raise MCPError(INVALID_PARAMS, str(error)) from error
        return {"resultType": "complete"}


def _admit(ctx: _Ctx, params: TaskParams) -> None:
    """Raise MCPError where the client offers no tasks, or its `Mcp-Name` header names another one."""
    require_client_extension(ctx, EXTENSION)
    named = getattr(ctx.request, "headers", {}).get(MCP_NAME_HEADER)
    if named is not None and decode_header_value(named) != params.task_id:
        raise MCPError(HEADER_MISMATCH, f"the {MCP_NAME_HEADER} header names another task than the request")


def _services(ctx: _Ctx) -> Services:
    return ctx.lifespan_context


def _offers_tasks(ctx: _Ctx) -> bool:
    offered = ctx.session.client_capabilities
    return offered is not None and EXTENSION in (offered.extensions or {})


async def _view(ctx: _Ctx, run: str) -> dict[str, Any]:
    services = _services(ctx)
    try:
        status = await services.searches.status(run)
        created = services.store.get_run(run).created
    except UsageError as error:
        raise MCPError(INVALID_PARAMS, str(error)) from error
    seen: dict[str, Any] = {
        "taskId": run,
        "status": _STATES[status.state],
        "statusMessage": status.message,
        "createdAt": datetime.fromtimestamp(created, UTC).isoformat(),
        "lastUpdatedAt": datetime.now(UTC).isoformat(),
        "ttlMs": None,
        "pollIntervalMs": _POLL_MS,
    }
    if status.state is RunState.COMPLETED:
        seen["result"] = result_of(status).model_dump(by_alias=True, exclude_none=True, mode="json")
    elif _STATES[status.state] == "failed":
        seen["error"] = {"code": INTERNAL_ERROR, "message": f"{status.message}. {status.next_step}"}
    return seen
