"""The HTTP client below a chat model: it streams whatever it asks, so that a long answer is no silence.

The library above sees one completion for each question, or an error. What it retries is only what was not answered: a
question that a slow endpoint may yet bill is never sent twice.
"""

from __future__ import annotations

import json
from typing import Any, cast

import httpx2
import openai

from agent.models.completion import Completion, EndpointError, parse, take_event

_QUESTIONS = "/chat/completions"
_ENDED_QUOTAS = (
    "insufficient_quota",
    "billing",
    "credit balance",
    "exceeded your current quota",
    "quota exhausted",
)
_GAVE_UP_WAITING = (504, 524)
_NOT_AGAIN = {"x-should-retry": "false"}


class SlowAnswerError(openai.OpenAIError):
    """Nothing came for as long as `--model-timeout` allows, after the question was sent."""


class BrokenAnswerError(openai.OpenAIError):
    """The connection broke after the question was sent; the text says how."""


class EndpointClient(httpx2.AsyncClient):
    """Asks for streams, and hands on whole answers.

    Attributes:
        usage: Whether to ask for the token counts of a stream; some servers refuse the question for it.
        streaming: Whether to ask for streams at all; likewise.
    """

    def __init__(self, idle_s: float, proxy: str | None = None) -> None:
        """Open nothing yet.

        Args:
            idle_s: How long an endpoint may say nothing, in seconds.
            proxy: Address of a proxy; None goes by the environment.

        Raises:
            ValueError: A proxy of the environment is no address.
            ImportError: A proxy needs a library that is missing.
        """
        timeout = httpx2.Timeout(idle_s, connect=min(30.0, idle_s))
        super().__init__(timeout=timeout, proxy=proxy, follow_redirects=True)
        self._idle_s = idle_s
        self.usage = self.streaming = True

    async def send(
        self,
        request: httpx2.Request,
        *,
        stream: bool = False,
        auth: Any = httpx2.USE_CLIENT_DEFAULT,
        follow_redirects: Any = httpx2.USE_CLIENT_DEFAULT,
    ) -> httpx2.Response:
        """Send a request; a question is sent as a stream and answered whole."""
        if not request.url.path.endswith(_QUESTIONS):
            return await super().send(request, stream=stream, auth=auth, follow_redirects=follow_redirects)
        try:
            return await self._ask(request, auth, follow_redirects)
        except (httpx2.ConnectTimeout, httpx2.ConnectError, httpx2.PoolTimeout, httpx2.ProxyError):
            raise
        except httpx2.TimeoutException as error:
            said = f"nothing came for {self._idle_s:g} s after the question was sent (--model-timeout)"
            raise SlowAnswerError(f"{said}; it was not asked again, since it may be billed") from error
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            said = f"the connection broke before the answer was complete: {type(error).__name__}: {error}"
            raise BrokenAnswerError(said) from error

    async def _ask(self, request: httpx2.Request, auth: Any, follow_redirects: Any) -> httpx2.Response:
        while True:
            asked = self._as_stream(request)
            response = await super().send(asked, stream=True, auth=auth, follow_redirects=follow_redirects)
            try:
                if response.status_code < 400:
                    return await _answered(response, request)
                body = await response.aread()
            finally:
                await response.aclose()
            if not self._understood(response.status_code, body):
                return _refused(response, body, request)

    def _as_stream(self, request: httpx2.Request) -> httpx2.Request:
        if not self.streaming:
            return request
        body = cast("dict[str, Any]", json.loads(request.content)) | {"stream": True}
        if self.usage:
            body["stream_options"] = {"include_usage": True}
        headers = [
            (name, value) for name, value in request.headers.items() if name.lower() != "content-length"
        ]
        return httpx2.Request(
            request.method, request.url, headers=headers, json=body, extensions=request.extensions
        )

    def _understood(self, status: int, body: bytes) -> bool:
        """Whether a refusal is of how the question was asked, so that it may be asked otherwise."""
        text = body.decode("utf-8", "replace")
        if status not in (400, 422) or not self.streaming or "stream" not in text:
            return False
        if self.usage:
            self.usage = False
        else:
            self.streaming = False
        return True


async def _answered(response: httpx2.Response, request: httpx2.Request) -> httpx2.Response:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "text/event-stream":
            completion = Completion()
            async for event in httpx2.EventSource(response):
                take_event(completion, event.data)
        else:
            completion = parse(await response.aread(), kind)
        return httpx2.Response(200, json=completion.as_json(), request=request)
    except EndpointError as error:
        if error.status is None:
            raise
        body = {"error": {"message": f"an error inside a 200: {error}", "code": error.status}}
        return _refused(httpx2.Response(error.status, json=body), json.dumps(body).encode(), request)


def _refused(response: httpx2.Response, body: bytes, request: httpx2.Request) -> httpx2.Response:
    """Return a refusal as the library reads it; what waiting cannot mend it is told not to try again."""
    headers = dict(response.headers)
    for name in ("content-encoding", "content-length", "transfer-encoding"):
        headers.pop(name, None)
    text = body.decode("utf-8", "replace").lower()
    ended = response.status_code in (402, 429) and any(said in text for said in _ENDED_QUOTAS)
    if ended or response.status_code in _GAVE_UP_WAITING:
        headers |= _NOT_AGAIN
    return httpx2.Response(response.status_code, headers=headers, content=body, request=request)


def quota_ended(error: openai.APIStatusError) -> bool:
    """Whether an endpoint refuses for a reason that no waiting mends: no money, or a quota used up for good."""
    text = f"{error.message} {error.body}".lower()
    return error.status_code == 402 or (
        error.status_code == 429 and any(said in text for said in _ENDED_QUOTAS)
    )
