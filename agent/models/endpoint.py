"""A chat model at an endpoint: how it is opened, and what asking it gives."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, cast

import httpx2
import openai
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from agent.model_settings import ModelSettings
from agent.models.answerer import ChatQuestion
from agent.models.completion import NotAnAnswerError
from agent.models.dialect import Dialect, Rung
from agent.models.failures import UNREADABLE, failure, words
from agent.models.transport import EndpointClient
from agent.store.dialects import DialectMemory
from agent.store.replies import Reply, ToolUse
from sandbox.errors import MissingDependencyError, UsageError

RETRIES = 4
"""How often a question that was not answered is sent again: connections refused, rate limits, server errors."""
OPENAI = "https://api.openai.com/v1"
KEYS = ("WARPWRIGHT_API_KEY", "OPENAI_API_KEY")
_ANSWER = "answer"
_SAME = "Idempotency-Key"
"""Tells an endpoint that keeps to it (draft-ietf-httpapi-idempotency-key-header) what it answered once already."""


Extra = Mapping[str, Any] | None


@dataclass(frozen=True)
class Address:
    """Which model at which endpoint, and where what is known of it is remembered for other runs."""

    model: str
    url: str
    memory: DialectMemory | None = None

    def known(self) -> Dialect:
        """Return the dialect that earlier runs found out."""
        return (
            Dialect()
            if self.memory is None
            else Dialect.model_validate(self.memory.find(self.url, self.model))
        )

    def keep(self, dialect: Dialect) -> None:
        """Remember a dialect."""
        if self.memory is not None:
            self.memory.keep(self.url, self.model, dialect.model_dump(mode="json"))


class Endpoint:
    """Asks one model at one endpoint, in the dialect that it understands."""

    metered = True

    def __init__(
        self, chat: BaseChatModel, address: Address, client: EndpointClient | None = None, extra: Extra = None
    ) -> None:
        """Ask `chat`.

        Args:
            chat: The model.
            address: Where it is.
            client: What it sends by.
            extra: Fields for every request, beyond those that the library knows.
        """
        self._chat = chat
        self._address = address
        self._client = client
        self._extra = dict(extra or {})
        self.name = address.model
        self.url = address.url
        self.dialect = address.known()
        if client is not None:
            client.usage, client.streaming = self.dialect.usage, self.dialect.streaming

    async def ask(self, question: ChatQuestion) -> Reply:
        """Ask, and return what came.

        Raises:
            ProposalError: No answer came.
            MissingDependencyError: The key is refused, or the quota is used up.
            UsageError: There is no such model.
        """
        while True:
            dialect = self.dialect
            try:
                reply = _reply(await self._invoke(question, dialect))
                self._learn_streaming()
                return reply
            except (
                openai.BadRequestError,
                openai.UnprocessableEntityError,
                openai.InternalServerError,
            ) as error:
                known = dialect.after(
                    words(error),
                    structured=question.shape is not None,
                    offered=bool(question.tools),
                )
                if known is None:
                    raise failure(error, self.name, self.url) from error
                self.learn(known)
            except (openai.OpenAIError, httpx2.HTTPError, *UNREADABLE) as error:
                raise failure(error, self.name, self.url) from error

    def could_not_be_read(self) -> None:
        """Ask for structured answers in a plainer way from now on."""
        self.learn(self.dialect.without_rung())

    def learn(self, dialect: Dialect) -> None:
        """Remember what the model does not understand."""
        self.dialect = dialect
        self._address.keep(dialect)

    def _learn_streaming(self) -> None:
        client, known = self._client, self.dialect
        if client is not None and (client.usage, client.streaming) != (known.usage, known.streaming):
            self.learn(known.model_copy(update={"usage": client.usage, "streaming": client.streaming}))

    async def _invoke(self, question: ChatQuestion, dialect: Dialect) -> AIMessage:
        messages = list(question.messages) if dialect.system else _without_system(question.messages)
        model, extra = cast("Any", self._chat), dict(self._extra)
        if question.shape is not None:
            extra |= _response_format(question.shape, dialect.rung)
            if dialect.rung is Rung.TOOL_CALL:
                model = model.bind_tools([_answer_tool(question.shape)], tool_choice=_ANSWER)
        elif question.tools and dialect.tools:
            model = model.bind_tools([dict(tool) for tool in question.tools])
        if extra:
            model = model.bind(extra_body=extra)
        if question.key:
            model = model.bind(extra_headers={_SAME: _same(question.key, dialect)})
        answer: BaseMessage = await model.ainvoke(messages)
        if not isinstance(answer, AIMessage):
            raise NotAnAnswerError(f"what came back is no message of a model but {type(answer).__name__}")
        return answer


def open_endpoint(
    model: str,
    base_url: str | None,
    settings: ModelSettings | None = None,
    environment: Mapping[str, str] = os.environ,
    memory: DialectMemory | None = None,
) -> Endpoint:
    """Return a chat model to be asked.

    Raises:
        MissingDependencyError: OpenAI's own endpoint is meant, and there is no key; or the key cannot be one; or a
            proxy needs a library that is not there.
        UsageError: The address, or that of a proxy, is none.
    """
    settings = settings or ModelSettings()
    given = base_url or environment.get("OPENAI_BASE_URL") or None
    url = _address(given) if given else OPENAI
    key = _key(environment)
    if not key and given is None:
        msg = (
            f"no API key for model {model!r}: set OPENAI_API_KEY (or WARPWRIGHT_API_KEY), or give --base-url"
            " for a server that needs none; without --model the built-in composer writes the kernels"
        )
        raise MissingDependencyError(msg)
    client = _client(settings.timeout_s, environment.get("OPENAI_PROXY"))
    chat = ChatOpenAI(
        model=model,
        base_url=url,
        api_key=SecretStr(key or "none"),
        timeout=client.timeout,
        max_retries=RETRIES,
        http_async_client=client,
        http_client=httpx2.Client(trust_env=False),
        http_socket_options=(),
        openai_proxy=None,
        temperature=settings.temperature,
        reasoning_effort=settings.reasoning_effort,
        use_responses_api=False,
    )
    return Endpoint(chat, Address(model, url, memory), client, _output_limit(url, settings.max_output_tokens))


def _output_limit(url: str, tokens: int | None) -> dict[str, Any]:
    """OpenAI's own endpoint has a new name for it, most others know the older one."""
    if tokens is None:
        return {}
    return {"max_completion_tokens" if url == OPENAI else "max_tokens": tokens}


def _same(key: str, dialect: Dialect) -> str:
    """Return the key of a question as it is sent: asked in another way it is another request."""
    way = (dialect.system, dialect.tools, str(dialect.rung))
    return sha256(repr((key, way)).encode()).hexdigest()


def _address(text: str) -> str:
    url = text.strip()
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise UsageError(
            f"the endpoint {url!r} is no address: {error}; expected http://host:port/v1"
        ) from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise UsageError(
            f"the endpoint {url!r} is no address; expected https://host/v1 or http://host:port/v1"
        )
    return url


def _key(environment: Mapping[str, str]) -> str:
    """Return the key without the space around it that a file leaves."""
    name = next((one for one in KEYS if environment.get(one, "").strip()), None)
    if name is None:
        return ""
    key = environment[name].strip()
    wrong = next((sign for sign in key if not (sign.isascii() and sign.isprintable()) or sign == " "), None)
    if wrong is not None:
        msg = f"{name} cannot be a key: it holds {wrong!a}, and keys are of plain letters, digits and signs"
        raise MissingDependencyError(f"{msg}; set it anew, without quotes")
    return key


def _client(idle_s: float, proxy: str | None) -> EndpointClient:
    try:
        return EndpointClient(idle_s, proxy or None)
    except ImportError as error:
        raise MissingDependencyError(f"the proxy of this environment needs a library: {error}") from None
    except (ValueError, httpx2.InvalidURL) as error:
        names = "http_proxy, https_proxy, all_proxy or OPENAI_PROXY"
        raise UsageError(f"a proxy of this environment ({names}) is no address: {error}") from None


def _response_format(shape: Mapping[str, Any], rung: Rung) -> dict[str, Any]:
    # In the body, not by the library's own parameter: that one raises where an answer is cut off.
    if rung is Rung.JSON_SCHEMA:
        schema = {"name": _ANSWER, "schema": dict(shape), "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    return {"response_format": {"type": "json_object"}} if rung is Rung.JSON_OBJECT else {}


def _answer_tool(shape: Mapping[str, Any]) -> dict[str, Any]:
    about = {"name": _ANSWER, "description": "Hands in the answer.", "parameters": dict(shape)}
    return {"type": "function", "function": about}


def _without_system(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return a conversation whose first message from a person begins with what the system says."""
    system = [str(message.text) for message in messages if isinstance(message, SystemMessage)]
    rest = [message for message in messages if not isinstance(message, SystemMessage)]
    first = next((message for message in rest if isinstance(message, HumanMessage)), HumanMessage(""))
    merged = HumanMessage("\n\n".join([*system, str(first.text)]))
    return [merged, *(message for message in rest if message is not first)]


def _reply(message: AIMessage) -> Reply:
    usage = message.usage_metadata
    about = cast("dict[str, Any]", message.response_metadata)
    kwargs = cast("dict[str, Any]", message.additional_kwargs)
    return Reply(
        text=_storable(str(message.text)),
        tokens_in=0 if usage is None else usage["input_tokens"],
        tokens_out=0 if usage is None else usage["output_tokens"],
        finish=str(about.get("finish_reason") or ""),
        refusal=_storable(str(kwargs.get("refusal") or "")),
        uses=tuple(ToolUse(use["id"] or "", use["name"], dict(use["args"])) for use in message.tool_calls),
        tokens_cached=0 if usage is None else usage.get("input_token_details", {}).get("cache_read") or 0,
    )


def _storable(text: str) -> str:
    """A lone surrogate in a server's JSON could be neither stored nor compiled."""
    return text.encode("utf-8", "replace").decode()
