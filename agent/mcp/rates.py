"""How often, and how many at once: limits on HTTP requests, counted by token or by address."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from time import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.mcp.tokens import Allowance, TokenFile

STRANGERS_A_MINUTE = 60
"""Requests that one address may make without a valid token, where one is asked for."""
_BEARER = "bearer "


@dataclass(frozen=True)
class _Caller:
    key: str
    a_minute: int
    at_once: int


class RateLimits:
    """ASGI middleware that answers 429 where a caller asks too often or too much at once."""

    def __init__(self, app: ASGIApp, tokens: TokenFile, unauthenticated: Allowance | None) -> None:
        """Wrap an application.

        Args:
            app: What answers within the limits.
            tokens: Who is known, and what each may use.
            unauthenticated: What a caller without a token may use; None where a token is asked for.
        """
        self._app = app
        self._tokens = tokens
        self._unauthenticated = unauthenticated
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] == "GET":  # a GET is a stream held open for messages
            await self._app(scope, receive, send)
            return
        caller = self._caller(scope)
        rate = RateLimitItemPerMinute(caller.a_minute)
        if not await self._limiter.hit(rate, caller.key):
            reset = (await self._limiter.get_window_stats(rate, caller.key)).reset_time
            await _refuse(f"more than {caller.a_minute} requests a minute", max(1, round(reset - time())))(
                scope, receive, send
            )
            return
        if self._open[caller.key] >= caller.at_once:
            await _refuse(f"more than {caller.at_once} requests at once", 1)(scope, receive, send)
            return
        self._open[caller.key] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[caller.key] -= 1
            if not self._open[caller.key]:
                del self._open[caller.key]

    def _caller(self, scope: Scope) -> _Caller:
        authorization = Headers(scope=scope).get("authorization", "")
        bearer = authorization[len(_BEARER) :] if authorization.lower().startswith(_BEARER) else None
        token = None if bearer is None else self._tokens.find(bearer)
        if token is not None:
            allowed = token.allowance
            return _Caller(f"token {token.name}", allowed.requests_per_minute, allowed.requests_at_once)
        address = scope["client"][0] if scope.get("client") else ""
        if self._unauthenticated is not None:
            allowed = self._unauthenticated
            return _Caller(f"from {address}", allowed.requests_per_minute, allowed.requests_at_once)
        return _Caller(f"from {address}", STRANGERS_A_MINUTE, STRANGERS_A_MINUTE)


def _refuse(why: str, retry_after_s: int) -> PlainTextResponse:
    return PlainTextResponse(f"{why}\n", status_code=429, headers={"retry-after": str(retry_after_s)})
