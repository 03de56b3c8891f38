"""A proposer over any OpenAI-compatible chat endpoint."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping

import openai
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from agent.candidates import CandidatePlan
from agent.models.fallback import default_critique, default_plans
from agent.models.reply import critique_of, plans_of, written_of
from agent.models.wording import critique_request, plan_request, write_request
from agent.proposer import Critique, CritiqueContext, PlanContext, ProposalError, WriteContext, Written
from agent.store.replies import Replies, Reply, ReplyKey
from prompts import features, load_role
from sandbox.errors import MissingDependencyError, UsageError

_TIMEOUT_S = 600.0
_RETRIES = 4
_FEATURES = 3


def open_chat_model(
    model: str, base_url: str | None, environment: Mapping[str, str] = os.environ
) -> BaseChatModel:
    """Return a chat model.

    Raises:
        MissingDependencyError: OpenAI's own endpoint is meant, and there is no key.
    """
    url = base_url or environment.get("OPENAI_BASE_URL") or None
    key = environment.get("WARPWRIGHT_API_KEY") or environment.get("OPENAI_API_KEY")
    if not key and url is None:
        msg = (
            f"no API key for model {model!r}: set OPENAI_API_KEY (or WARPWRIGHT_API_KEY), or give --base-url"
            " for a server that needs none; without --model the built-in composer writes the kernels"
        )
        raise MissingDependencyError(msg)
    return ChatOpenAI(
        model=model,
        base_url=url,
        api_key=SecretStr(key or "none"),
        timeout=_TIMEOUT_S,
        max_retries=_RETRIES,
    )


class ChatProposer:
    """Asks a chat model in plain text; every answer is committed to the store before it is read."""

    def __init__(self, model: BaseChatModel, name: str, replies: Replies) -> None:
        self._model = model
        self._name = name
        self._replies = replies

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    async def plan(self, context: PlanContext) -> list[CandidatePlan]:
        """Ask for plans; what is missing or cannot be read is filled from the library in order."""
        text = await self._ask("planner", context.round, 0, plan_request(context))
        defaults = default_plans(context)
        plans = [_plan(*pair, context) for pair in zip(plans_of(text), defaults, strict=False)]
        return [*plans, *defaults[len(plans) :]]

    async def write(self, context: WriteContext) -> Written:
        """Ask for a kernel file."""
        reply = await self._ask("coder", context.round, context.candidate, write_request(context))
        return written_of(reply, context.plan.features)

    async def criticise(self, context: CritiqueContext) -> Critique:
        """Ask for the one bottleneck or root cause."""
        written = critique_of(await self._ask("critic", context.round, 0, critique_request(context)))
        if written is None:
            return default_critique(context)
        return Critique(written.text, _known(written.features))

    async def _ask(self, role: str, round_: int, candidate: int, request: str) -> str:
        messages: list[BaseMessage] = [SystemMessage(load_role(role)), HumanMessage(request)]
        key = ReplyKey(round_, candidate, role, _sha(messages))
        kept = self._replies.find(key)
        if kept is None:
            kept = _reply(await self._invoke(messages))
            self._replies.keep(key, kept)
        return kept.text

    async def _invoke(self, messages: list[BaseMessage]) -> AIMessage:
        try:
            return await self._model.ainvoke(messages)
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            msg = f"the endpoint refuses the key for model {self._name!r}; set OPENAI_API_KEY: {error}"
            raise MissingDependencyError(msg) from error
        except openai.NotFoundError as error:
            msg = f"the endpoint has no model {self._name!r}, or --base-url lacks a path such as /v1: {error}"
            raise UsageError(msg) from error
        except (openai.OpenAIError, json.JSONDecodeError) as error:
            msg = f"no answer from model {self._name!r}: {type(error).__name__}: {error}"
            raise ProposalError(msg) from error


def _plan(planned: CandidatePlan, default: CandidatePlan, context: PlanContext) -> CandidatePlan:
    parent = _parent(planned.parent, context) if planned.parent else None
    return CandidatePlan(parent, _known(planned.features) or default.features, planned.why)


def _parent(wanted: str, context: PlanContext) -> str | None:
    """Return the kernel a model named by the start of its sha; a name of none of them means the best."""
    shas = [parent.sha for parent in context.parents]
    return next((sha for sha in shas if sha.startswith(wanted)), shas[0] if shas else None)


def _known(names: Iterable[str]) -> tuple[str, ...]:
    library = {feature.name for feature in features()}
    return tuple(dict.fromkeys(name for name in names if name in library))[:_FEATURES]


def _reply(message: AIMessage) -> Reply:
    # A lone surrogate in a server's JSON could be neither stored nor compiled.
    text = str(message.text).encode("utf-8", "replace").decode()
    usage = message.usage_metadata
    return Reply(text) if usage is None else Reply(text, usage["input_tokens"], usage["output_tokens"])


def _sha(messages: list[BaseMessage]) -> str:
    parts = [(message.type, str(message.text)) for message in messages]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
