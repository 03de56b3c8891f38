"""The client's own model as the model of a search (MCP specification, "Sampling"), in both eras of the protocol.

A search works in another process and outlives its calls, so it leaves its questions in the store. A client that waits
for it by search_status is asked the oldest of them, and its answer goes back the same way: an older client is asked
while its call lasts, a newer one gets the question as the call's answer and calls again with what its model said.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Annotated

from mcp.server.mcpserver import Context, Resolve, Sample
from mcp.types import ContentBlock, CreateMessageResult, SamplingMessage, TextContent
from mcp_types.version import is_version_at_least

from agent.mcp.answers import SearchStatus
from agent.mcp.services import Services, services_of
from agent.results import RunState
from agent.store.client_questions import ClientAnswer, ClientQuestion
from sandbox.errors import UsageError

_RETRIED_SINCE = "2026-07-28"
"""From this revision on what a client is asked is an answer, and the call is made again."""
_POLL_S = 0.25
_FINISHES = {"endTurn": "stop", "stopSequence": "stop", "maxTokens": "length"}


@dataclass(frozen=True)
class Wanted:
    """What a search wants of its client's model.

    Attributes:
        question: That it waits for; None where it waits for none, or this client cannot answer.
        asks: Whether it is at work and asks this client's model now and then: the call was held for that.
    """

    question: ClientQuestion | None = None
    asks: bool = False


@dataclass(frozen=True)
class NothingWanted:
    """In place of an answer."""


async def next_question(ctx: Context[Services], run: str, wait_s: float) -> Wanted:
    """Return the oldest question of a run, holding the call until there is one or so many seconds have passed."""
    if not can_sample(ctx):
        return Wanted()
    deadline = time.monotonic() + wait_s
    while True:
        waits, question = await asyncio.to_thread(_look, services_of(ctx), run)
        if not waits or question is not None or time.monotonic() >= deadline:
            return Wanted(question, waits)
        await asyncio.sleep(_POLL_S)


async def ask_model(wanted: Annotated[Wanted, Resolve(next_question)]) -> NothingWanted | Sample:
    """Have the client's model answer a question, where there is one."""
    question = wanted.question
    if question is None:
        return NothingWanted()
    messages = [
        SamplingMessage(role=turn.role, content=TextContent(type="text", text=turn.text))
        for turn in question.turns
    ]
    return Sample(messages, max_tokens=question.max_tokens, system_prompt=question.system or None)


Asked = Annotated[Wanted, Resolve(next_question)]
"""Of a tool: what the client was asked."""
Said = Annotated[CreateMessageResult | NothingWanted, Resolve(ask_model)]
"""Of a tool: what its model said."""


async def take_answer(
    ctx: Context[Services], run: str, wanted: Wanted, said: CreateMessageResult | NothingWanted
) -> None:
    """Bring an answer, where there is one, to the search that waits for it."""
    if wanted.question is None or not isinstance(said, CreateMessageResult):
        return
    finish = str(said.stop_reason or "endTurn")
    answer = ClientAnswer(_text(said.content), _FINISHES.get(finish, finish), said.model)
    questions = services_of(ctx).store.client_questions(run)
    await asyncio.to_thread(questions.answer, wanted.question.id, answer)


async def with_what_is_wanted(ctx: Context[Services], status: SearchStatus) -> SearchStatus:
    """Return a status that says so where the search waits for the client's model."""
    waits, question = await asyncio.to_thread(_look, services_of(ctx), status.run)
    if not waits or question is None:
        return status
    said = "your model is asked when you call search_status again"
    if not can_sample(ctx):
        said = "it waits for the model of a client that offers sampling, which this one does not"
    return status.model_copy(update={"message": f"{status.message}; {said}"})


def can_sample(ctx: Context[Services]) -> bool:
    """Say whether a client lets servers ask its model."""
    session = ctx.request_context.session
    capabilities = session.client_capabilities
    offers = capabilities is not None and capabilities.sampling is not None
    return offers and (
        session.can_send_request or is_version_at_least(session.protocol_version, _RETRIED_SINCE)
    )


def _look(services: Services, run: str) -> tuple[bool, ClientQuestion | None]:
    """Return whether a run is at work with a client's model, and its oldest question."""
    try:
        stored = services.store.get_run(run)
    except UsageError:  # the tool itself says so
        return False, None
    if not stored.request.asks_client or stored.state is not RunState.RUNNING:
        return False, None
    return True, services.store.client_questions(run).waiting()


def _text(content: ContentBlock | list[ContentBlock]) -> str:
    parts = content if isinstance(content, list) else [content]
    return "\n".join(part.text for part in parts if isinstance(part, TextContent))
