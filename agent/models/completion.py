"""What comes back from a chat endpoint, read strictly: a chat completion, or an error that says what came instead.

Endpoints that call themselves compatible answer a question with one JSON object, with a stream of events whatever was
asked for, with an error inside a 200, or with the page of a web interface.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import openai
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

_SHOWN = 300
_EVENTS = ("data:", ":", "event:", "id:")


class NotAnAnswerError(openai.OpenAIError):
    """The endpoint answered, but with nothing that is a completion; the text says what came back."""


class EndpointError(openai.OpenAIError):
    """An error that came inside a 200 or amid a stream.

    Attributes:
        status: The HTTP status that it names; None where it names none.
    """

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _CalledFunction(_Lenient):
    name: str | None = None
    arguments: str | None = None


class _CallPart(_Lenient):
    index: int | None = None
    id: str | None = None
    function: _CalledFunction = Field(default_factory=_CalledFunction)


class _Part(_Lenient):
    content: str | list[Any] | None = None
    refusal: str | None = None
    tool_calls: list[_CallPart] | None = None


class _Choice(_Lenient):
    index: int = 0
    delta: _Part | None = None
    message: _Part | None = None
    finish_reason: str | None = None


class _Chunk(_Lenient):
    choices: list[_Choice] | None = None
    usage: dict[str, Any] | None = None
    model: str | None = None


_JSON: TypeAdapter[Any] = TypeAdapter(Any)


@dataclass
class _GrowingCall:
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass
class Completion:
    """A completion as it grows: of one object, or event by event."""

    content: str = ""
    refusal: str = ""
    finish: str | None = None
    usage: dict[str, Any] | None = None
    model: str = ""
    chosen: bool = False
    calls: dict[int, _GrowingCall] = field(default_factory=dict[int, _GrowingCall])

    def take(self, value: object) -> None:
        """Add one object or event.

        Raises:
            EndpointError: It is an error.
            NotAnAnswerError: It is no part of a completion.
        """
        _raise_error(value)
        try:
            chunk = _Chunk.model_validate(value)
        except ValidationError:
            raise NotAnAnswerError(
                f"what came back is no chat completion: {_shown(json.dumps(value))}"
            ) from None
        self.usage = chunk.usage or self.usage
        self.model = chunk.model or self.model
        for choice in chunk.choices or ():
            if choice.index == 0:
                self.chosen = True
                self.finish = choice.finish_reason or self.finish
                self._add(choice.message or choice.delta or _Part())

    def as_json(self) -> dict[str, Any]:
        """Return it as one object of the protocol.

        Raises:
            NotAnAnswerError: Nothing was chosen.
        """
        if not self.chosen:
            raise NotAnAnswerError(
                "the reply has no choices: neither text nor a refusal nor an error came back"
            )
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self.content,
            "refusal": self.refusal or None,
        }
        if self.calls:
            message["tool_calls"] = [
                {"id": one.id or f"call_{number}", "type": "function"}
                | {"function": {"name": one.name, "arguments": one.arguments or "{}"}}
                for number, one in sorted(self.calls.items())
            ]
        return {
            "id": "-",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish or "stop"}],
            "usage": self.usage,
        }

    def _add(self, part: _Part) -> None:
        self.content += _text(part.content)
        self.refusal += part.refusal or ""
        for number, one in enumerate(part.tool_calls or ()):
            call = self.calls.setdefault(one.index if one.index is not None else number, _GrowingCall())
            call.id = one.id or call.id
            call.name = one.function.name or call.name
            call.arguments += one.function.arguments or ""


def parse(body: bytes, kind: str) -> Completion:
    """Read a body that is no event stream.

    Args:
        body: As it came.
        kind: Its content type, to be named where it is no JSON.
    """
    completion = Completion()
    text = body.decode("utf-8", "replace")
    if text.lstrip().startswith(_EVENTS):
        lines = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
        return parse_events(lines)
    try:
        value = _JSON.validate_json(body)
    except ValidationError:
        said = f"what came back is {kind or 'of no type'}, not JSON: {_shown(text)}"
        raise NotAnAnswerError(f"{said}; does --base-url lack a path such as /v1?") from None
    completion.take(value)
    return completion


def parse_events(events: Iterable[str]) -> Completion:
    """Read the data of events, in order."""
    completion = Completion()
    for data in events:
        take_event(completion, data)
    return completion


def take_event(completion: Completion, data: str) -> None:
    """Add the data of one event; the one that says that all is done adds nothing."""
    if not data.strip() or data.startswith("[DONE]"):
        return
    try:
        value = _JSON.validate_json(data)
    except ValidationError:
        raise NotAnAnswerError(f"an event of the stream is no JSON: {_shown(data)}") from None
    completion.take(value)


def _text(content: str | list[Any] | None) -> str:
    if isinstance(content, list):
        parts = [_OBJECT.validate_python(part) for part in content if isinstance(part, dict)]
        return "".join(str(part.get("text") or "") for part in parts)
    return content or ""


_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def _raise_error(value: object) -> None:
    if not isinstance(value, dict):
        raise NotAnAnswerError(f"what came back is no chat completion: {_shown(json.dumps(value))}")
    error = _OBJECT.validate_python(value).get("error")
    if not error:
        return
    about = _OBJECT.validate_python(error) if isinstance(error, dict) else {"message": error}
    code = str(about.get("code") or about.get("status") or "")
    status = int(code) if code.isdigit() and 400 <= int(code) <= 599 else None
    said = about.get("message") or json.dumps(about)
    raise EndpointError(_shown(str(said)) + (f" (code {code})" if code else ""), status)


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
