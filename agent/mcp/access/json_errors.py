"""What is refused over HTTP is refused in JSON, whoever in the chain refuses it."""

from __future__ import annotations

import json
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_JSON = "application/json"
_LONGEST = 1000


class JsonErrors:
    """ASGI middleware that puts other bodies of 4xx and 5xx answers into JSON: `{"error": "..."}`."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            await self._app(scope, receive, _Answer(send))
        else:
            await self._app(scope, receive, send)


class _Answer:
    """One answer on its way; held back from its start to its end where it is an error in other words than JSON."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_plain_error(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._end(self._start)

    async def _end(self, start: Message) -> None:
        said = self._body[:_LONGEST].decode(errors="replace").strip()
        body = json.dumps({"error": said or HTTPStatus(start["status"]).phrase}).encode()
        headers = MutableHeaders(raw=list(start.get("headers", [])))
        headers["content-type"], headers["content-length"] = _JSON, str(len(body))
        await self._send({**start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})


def _is_plain_error(start: Message) -> bool:
    kind = MutableHeaders(raw=list(start.get("headers", []))).get("content-type", "")
    return start["status"] >= HTTPStatus.BAD_REQUEST and not kind.startswith(_JSON)
