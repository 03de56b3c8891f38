"""How often, and how many at once: limits on HTTP requests, counted by caller or by address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from time import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from mcp.server.auth.provider import TokenVerifier
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.mcp.access.sessions import MOST_OF_ONE, SESSION, OpenSessions, opens_session
from agent.mcp.access.tokens import Allowance

STRANGERS_A_MINUTE = 60
"""Requests that one address may make without a valid token, where one is asked for."""
_BEARER = "bearer "


@dataclass(frozen=True)
class _Caller:
    key: str
    a_minute: int
    at_once: int
    known: bool = True


class RateLimits:
    """ASGI middleware that answers 429 where a caller asks too often or too much at once."""

    def __init__(
        self,
        app: ASGIApp,
        callers: TokenVerifier | None,
        everyone: Allowance,
        streams: Callable[[str], bool] = lambda path: True,
    ) -> None:
        """Wrap an application.

        Args:
            app: What answers within the limits.
            callers: Knows who may call, and what each may use; None where nobody is asked.
            everyone: What each address may use where nobody is asked.
            streams: Says of a path whether GET holds a stream of messages open there, which does not count.
        """
        self._streams = streams
        self._app = app
        self._callers = callers
        self._everyone = everyone
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._open: Counter[str] = Counter()
        self._sessions = OpenSessions()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caller = await self._caller(scope)
        if caller.known and scope["method"] == "GET" and self._streams(scope["path"]):
            await self._app(scope, receive, send)
            return
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
        if opens_session(scope["method"], Headers(scope=scope)) and self._sessions.full(caller.key):
            why = f"more than {MOST_OF_ONE} sessions open; end some with DELETE, or go on in one"
            await _refuse(why, 60)(scope, receive, send)
            return
        self._open[caller.key] += 1
        try:
            await self._app(scope, receive, self._watched(scope, caller.key, send))
        finally:
            self._open[caller.key] -= 1
            if not self._open[caller.key]:
                del self._open[caller.key]

    def _watched(self, scope: Scope, caller: str, send: Send) -> Send:
        """Take note of the session that an answer opens, goes on with, or ends."""
        named = Headers(scope=scope).get(SESSION)

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                opened = Headers(raw=message.get("headers", [])).get(SESSION)
                over = named is not None and (scope["method"] == "DELETE" or message["status"] == 404)
                if named is not None and over:
                    self._sessions.forget(caller, named)
                elif session := opened or named:
                    self._sessions.note(caller, session)
            await send(message)

        return watched

    async def _caller(self, scope: Scope) -> _Caller:
        address = scope["client"][0] if scope.get("client") else ""
        if self._callers is None:
            allowed = self._everyone
            return _Caller(f"from {address}", allowed.requests_per_minute, allowed.requests_at_once)
        authorization = Headers(scope=scope).get("authorization", "")
        bearer = authorization[len(_BEARER) :] if authorization.lower().startswith(_BEARER) else None
        access = None if bearer is None else await self._callers.verify_token(bearer)
        if access is None:
            return _Caller(f"from {address}", STRANGERS_A_MINUTE, STRANGERS_A_MINUTE, known=False)
        allowed = Allowance.model_validate(access.claims or {})
        return _Caller(f"caller {access.client_id}", allowed.requests_per_minute, allowed.requests_at_once)


def _refuse(why: str, retry_after_s: int) -> JSONResponse:
    return JSONResponse({"error": why}, status_code=429, headers={"retry-after": str(retry_after_s)})
