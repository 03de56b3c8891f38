"""Before a task is kept it is checked, and its person sees the draft: they take it, have it changed or leave it.

Elicitation (MCP specification, "Elicitation", form mode) in both eras of the protocol. Where the client cannot ask,
the model of the chat does, as the prompt `new_task` tells it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any, cast

from mcp.server.mcpserver import Context, Elicit
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ElicitationCapability
from mcp.types.version import is_version_at_least
from pydantic import BaseModel, Field

from sandbox.errors import UsageError, WarpwrightError
from tools.mcp.drafts import NewTask, baseline_text
from tools.mcp.services import HasToolbox
from tools.mcp.task_form import TaskChanges, TaskForm
from tools.reports import CheckReport
from tools.tasks.drafting import files_of, judge_draft, preview

LONGEST_CHECK_S = 15.0
"""How long a draft's baseline is judged before its person is asked; a longer judgement comes after they agreed."""
AFTER_ANSWER_S = 3.0
"""How long a call may still take once its person agreed; what takes longer goes on as a job."""
LONGEST_ANSWER_S = 40.0
"""Until when an older client's person must have answered; newer ones call again with the answer."""

_RETRIED_SINCE = "2026-07-28"
_SHOWN = 4000
"""Characters of a file that the person sees."""


class Agreement(BaseModel):
    """What the person says of a drafted task."""

    keep: bool = Field(
        default=True, title="Keep this task", description="Once something has used it, it never changes."
    )
    speedup: float = Field(
        default=0.0,
        ge=0,
        title="Wanted speed-up",
        description="A search may stop once a kernel is so many times as fast as the baseline; 0: as drafted.",
    )
    changes: str = Field(
        default="",
        max_length=2000,
        title="Changes",
        description="What should be different, in your own words: it is then drafted anew. Empty: nothing.",
    )


async def ask_person(ctx: Context[Any], task: TaskForm) -> Agreement | Elicit[Agreement]:
    """Check a new task, show it to the person behind the client, and ask.

    Raises:
        ToolError: The draft cannot be used, its baseline is wrong, or nobody answered in time.
    """
    return await _asked(ctx, task.draft())


async def ask_about_changes(
    ctx: Context[Any], task: str, changes: TaskChanges
) -> Agreement | Elicit[Agreement]:
    """Do the same with changes of a task that nothing has used.

    Raises:
        ToolError: As above, or there is no such task.
    """
    return await _asked(ctx, await changed_draft(ctx, task, changes))


async def changed_draft(ctx: Context[Any], task: str, changes: TaskChanges) -> NewTask:
    """Return a task of the caller's own with changes.

    Raises:
        ToolError: There is no such task.
    """
    catalogue = _services(ctx).catalogue
    try:
        return changes.applied(await asyncio.to_thread(catalogue.find, task))
    except UsageError as error:
        raise ToolError(str(error)) from error


def agreed_task(task: NewTask, agreement: Agreement | None) -> NewTask:
    """Return the task as its person takes it; None where they declined to answer.

    Raises:
        ToolError: They do not take it; the text says what they want instead.
    """
    if agreement is None or (not agreement.keep and not agreement.changes):
        raise ToolError(
            "the person does not want this task, and nothing was kept: ask what they need instead"
        )
    if agreement.changes:
        raise ToolError(
            f"nothing was kept, the person wants changes: {agreement.changes}\nDraft the task anew and call"
            " create_task again"
        )
    if not agreement.speedup:
        return task
    return replace(task, target=replace(task.target, speedup=agreement.speedup))


def known_report(services: HasToolbox, task: NewTask) -> CheckReport | None:
    """Return what was found of a draft before its person was asked; a wanted speed-up changes nothing of that."""
    return services.judged.get(_key(services, task))


async def _asked(ctx: Context[Any], task: NewTask) -> Agreement | Elicit[Agreement]:
    if not can_ask(ctx):
        return Agreement()
    start, services = time.monotonic(), _services(ctx)
    try:
        used = await asyncio.to_thread(services.used, task.name)
        known = await preview(task, services.catalogue, replace=not used)
        if known is not None:
            return Agreement()
        shown = _shown(task, await _judged(services, task))
    except WarpwrightError as error:
        raise ToolError(str(error)) from error
    if is_version_at_least(ctx.request_context.session.protocol_version, _RETRIED_SINCE):
        return Elicit(shown, Agreement)
    return await _answer(ctx, shown, LONGEST_ANSWER_S - (time.monotonic() - start))


async def _judged(services: HasToolbox, task: NewTask) -> CheckReport | None:
    """What is found of the baseline; None where that takes too long. A newer client's second call finds it known."""
    key = _key(services, task)
    if key in services.judged:
        return services.judged[key]
    try:
        async with asyncio.timeout(LONGEST_CHECK_S):
            report = await judge_draft(task, services.toolbox)
    except TimeoutError:
        return None
    services.judged[key] = report
    return report


def _key(services: HasToolbox, task: NewTask) -> str:
    files = files_of(replace(task, target=type(task.target)()))
    return repr((services.catalogue.own, sorted(files.items())))


def _services(ctx: Context[Any]) -> HasToolbox:
    return cast("HasToolbox", ctx.request_context.lifespan_context)


def can_ask(ctx: Context[Any]) -> bool:
    """Say whether the person behind a client can be asked."""
    session = ctx.request_context.session
    capabilities = session.client_capabilities
    asks: ElicitationCapability | None = None if capabilities is None else capabilities.elicitation
    form = asks is not None and (asks.form is not None or asks.url is None)
    return form and (
        session.can_send_request or is_version_at_least(session.protocol_version, _RETRIED_SINCE)
    )


async def _answer(ctx: Context[Any], question: str, seconds: float) -> Agreement:
    try:
        async with asyncio.timeout(seconds):
            outcome = await ctx.elicit(question, Agreement)
    except TimeoutError:
        raise ToolError(
            "the person did not answer in time, and nothing was kept: ask whether they want this task, then call"
            " create_task again"
        ) from None
    except ValueError as error:  # an answer that is none of the form's
        raise ToolError(f"the client's answer for the person cannot be used: {error}") from error
    return outcome.data if outcome.action == "accept" else Agreement(keep=False)


def _shown(task: NewTask, report: CheckReport | None) -> str:
    found = "Its baseline is judged once you agree." if report is None else baseline_text(report)
    parts = [f"A new task, {task.name}: {task.summary} Is this what you mean? {found}"]
    for name, text in files_of(task).items():
        more = f"\n... {len(text) - _SHOWN} more characters" if len(text) > _SHOWN else ""
        parts.append(f"--- {name}\n{text[:_SHOWN].rstrip()}{more}")
    return "\n\n".join(parts)
