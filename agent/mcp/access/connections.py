"""Connections of the HTTP server: one that never says what it wants is closed, one that says it wrongly is told."""

from __future__ import annotations

import asyncio
import json
import resource
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_S = 15.0
"""How long a request's line and headers may take, from the connection on, or from their first byte."""
_FILES = 512
"""Of a server itself: its workers' pipes, the store, what it reads and writes."""


def room_for(connections: int) -> None:
    """Let this process hold so many connections open beside its files, as far as the system lets it.

    Most systems let a process ask for far more than the 1024 descriptors that it begins with.
    """
    wanted = connections + _FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class PunctualConnection(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with a limit on the time until a request is known."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Go on waiting where a request has begun and is not known yet."""
        if self.conn.our_state is h11.IDLE:
            self._wait()
        super().data_received(data)

    def handle_events(self) -> None:
        """Stop waiting once a request is known."""
        super().handle_events()
        if self.conn.our_state is not h11.IDLE:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Say in JSON that this is no request."""
        self._respond(HTTPStatus.BAD_REQUEST, msg)

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(HEADER_S, self._too_late)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_late(self) -> None:
        self._waiting = None
        if not self.transport.is_closing():
            self._respond(HTTPStatus.REQUEST_TIMEOUT, f"no request within {HEADER_S:.0f} s")

    def _respond(self, status: HTTPStatus, message: str) -> None:
        body = json.dumps({"error": message}).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        response = h11.Response(
            status_code=status, headers=[*headers, ("connection", "close")], reason=status.phrase.encode()
        )
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
