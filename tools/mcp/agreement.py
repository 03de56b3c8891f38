"""Before a task is frozen its person sees the draft, and takes it, has it changed or leaves it.

Elicitation (MCP specification, "Elicitation", form mode) in both eras of the protocol. Where the client cannot ask,
the model of the chat does, as the prompt `new_task` tells it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Protocol, cast

from mcp.server.mcpserver import Context, Elicit
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ElicitationCapability
from mcp.types.version import is_version_at_least
from pydantic import BaseModel, Field

from sandbox.errors import UsageError
from tools.mcp.drafts import NewTask
from tools.tasks.catalogue import TaskCatalogue
from tools.tasks.drafting import files_of, preview

LONGEST_ANSWER_S = 40.0
"""How long an older client's call waits for the person; newer ones call again with the answer."""

_RETRIED_SINCE = "2026-07-28"
_SHOWN = 4000
"""Characters of a file that the person sees."""


class Agreement(BaseModel):
    """What the person says of a drafted task."""

    keep: bool = Field(default=True, title="Keep this task", description="Once kept, it never changes.")
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


class HasCatalogue(Protocol):
    """The part of a server's services that is needed here."""

    @property
    def catalogue(self) -> TaskCatalogue:
        """The tasks of the caller."""
        ...


async def ask_person(ctx: Context[Any], task: NewTask) -> Agreement | Elicit[Agreement]:
    """Show a usable draft of a new task to the person behind the client, and ask.

    Raises:
        ToolError: The draft cannot be used, or nobody answered in time.
    """
    if not _can_ask(ctx):
        return Agreement()
    services = cast("HasCatalogue", ctx.request_context.lifespan_context)
    try:
        known = await preview(task, services.catalogue)
    except UsageError as error:
        raise ToolError(str(error)) from error
    if known is not None:
        return Agreement()
    if is_version_at_least(ctx.request_context.session.protocol_version, _RETRIED_SINCE):
        return Elicit(_shown(task), Agreement)
    return await _answer(ctx, _shown(task))


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


def _can_ask(ctx: Context[Any]) -> bool:
    session = ctx.request_context.session
    capabilities = session.client_capabilities
    asks: ElicitationCapability | None = None if capabilities is None else capabilities.elicitation
    form = asks is not None and (asks.form is not None or asks.url is None)
    return form and (
        session.can_send_request or is_version_at_least(session.protocol_version, _RETRIED_SINCE)
    )


async def _answer(ctx: Context[Any], question: str) -> Agreement:
    try:
        async with asyncio.timeout(LONGEST_ANSWER_S):
            outcome = await ctx.elicit(question, Agreement)
    except TimeoutError:
        raise ToolError(
            f"the person did not answer within {LONGEST_ANSWER_S:.0f} s, and nothing was kept: ask whether they"
            " want this task, then call create_task again"
        ) from None
    except ValueError as error:  # an answer that is none of the form's
        raise ToolError(f"the client's answer for the person cannot be used: {error}") from error
    return outcome.data if outcome.action == "accept" else Agreement(keep=False)


def _shown(task: NewTask) -> str:
    parts = [f"A new task, {task.name}: {task.summary} Is this what you mean?"]
    for name, text in files_of(task).items():
        more = f"\n... {len(text) - _SHOWN} more characters" if len(text) > _SHOWN else ""
        parts.append(f"--- {name}\n{text[:_SHOWN].rstrip()}{more}")
    return "\n\n".join(parts)
