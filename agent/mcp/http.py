"""The server over streamable HTTP: who may connect, from where, and how much."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from mcp.server import MCPServer
from mcp.server.auth.settings import AuthSettings
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl
from starlette.applications import Starlette

from agent.home import Home
from agent.mcp.rates import RateLimits
from agent.mcp.server import build_server
from agent.mcp.tokens import Allowance, TokenFile
from agent.mcp.workshop import Workshop
from sandbox.errors import UsageError
from tools.local_toolbox import LocalToolbox

PATH = "/mcp"
LARGEST_BODY = 4 * 1024 * 1024
"""Bytes of a request; a task and a kernel file together are far smaller."""
MOST_CONNECTIONS = 2000
MOST_SESSIONS = 2000
"""Sessions of the protocol's older era; each is forgotten after half an hour without a request."""
_HEADERS_AT_MOST = 32 * 1024
_GRACE_S = 5
_IDLE_S = 75
"""Longer than HTTP clients keep an idle connection, or one would send on a connection that is just being closed."""
_OWN = Allowance(requests_per_minute=100_000, requests_at_once=MOST_CONNECTIONS)
"""On loopback without tokens every caller is this machine's own person."""


@dataclass(frozen=True)
class Address:
    """Where to listen, and under which names clients reach it.

    Attributes:
        host: A name or an address; port 0 takes a free one.
        names: Further `Host` headers to answer to: a name, or a name and port.
        origins: Web pages that may call, as `Origin` headers name them; none but the server's own otherwise.
        certificate: PEM files of a certificate and its key, for HTTPS.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    certificate: tuple[Path, Path] | None = None

    @property
    def scheme(self) -> str:
        """The scheme of the server's address: http, or https."""
        return "http" if self.certificate is None else "https"


async def serve_http(home: Home, device: str, base_url: str | None, address: Address) -> None:
    """Serve until Ctrl-C or SIGTERM. Says on standard error where it listens.

    Raises:
        UsageError: The address cannot be used, or is beyond this machine while no token exists.
        MissingDependencyError: This machine lacks the device, the compiler or its headers.
    """
    LocalToolbox(
        device, cache=home.compile_cache
    )  # starts nothing; raises what would be lost in a task group
    tokens = TokenFile(home.tokens)
    listening = listen(address, authenticated=any(True for _ in tokens))
    port = listening.getsockname()[1]
    app = build_app(home, device, base_url, address, port)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        limit_concurrency=MOST_CONNECTIONS,
        h11_max_incomplete_event_size=_HEADERS_AT_MOST,
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=_GRACE_S,
        server_header=False,
        ssl_certfile=None if address.certificate is None else address.certificate[0],
        ssl_keyfile=None if address.certificate is None else address.certificate[1],
    )
    host = f"[{address.host}]" if ":" in address.host else address.host
    sys.stderr.write(f"listening on {address.scheme}://{host}:{port}{PATH}\n")
    sys.stderr.flush()
    with listening:
        await _Server(config).serve([listening])


def build_app(home: Home, device: str, base_url: str | None, address: Address, port: int) -> Starlette:
    """Return the application; callers need a token where the home has any."""
    tokens = TokenFile(home.tokens)
    auth = _authentication(address, port) if any(True for _ in tokens) else None
    server = build_server(home, device, base_url, token_verifier=None if auth is None else tokens, auth=auth)
    app = _asgi(server, address, port)
    app.add_middleware(RateLimits, tokens=tokens, unauthenticated=_OWN if auth is None else None)
    return app


def listen(address: Address, *, authenticated: bool) -> socket.socket:
    """Return a listening socket.

    Raises:
        UsageError: The address cannot be used, or is beyond this machine and `authenticated` is False.
    """
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, where = found[0]
        if not authenticated and not ipaddress.ip_address(where[0]).is_loopback:
            msg = (
                f"{address.host} can be reached from other machines, and no token exists to keep strangers out:"
                " make one with `warpwright token add NAME`"
            )
            raise UsageError(msg)
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen(MOST_CONNECTIONS)  # from now on clients wait for an answer instead of being refused
    except OSError as error:
        msg = f"{address.host}, port {address.port}, cannot be listened on: {error.strerror or error}"
        raise UsageError(msg) from None
    return listening


def _authentication(address: Address, port: int) -> AuthSettings:
    # No OAuth server stands behind these tokens, so none is announced.
    issuer = AnyHttpUrl(f"{address.scheme}://{socket.gethostname()}:{port}")
    return AuthSettings(issuer_url=issuer, resource_server_url=None)


def _asgi(server: MCPServer[Workshop], address: Address, port: int) -> Starlette:
    names = {"127.0.0.1", "localhost", "[::1]", socket.gethostname(), socket.getfqdn(), *address.names}
    names.add(f"[{address.host}]" if ":" in address.host else address.host)
    hosts = sorted({host for name in names for host in (name, f"{name}:{port}")})
    own = {f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts}
    return server.streamable_http_app(
        streamable_http_path=PATH,
        host=address.host,
        max_request_body_size=LARGEST_BODY,
        max_sessions=MOST_SESSIONS,
        transport_security=TransportSecuritySettings(
            allowed_hosts=hosts, allowed_origins=sorted(own | set(address.origins))
        ),
    )


class _Server(uvicorn.Server):
    """Ends in order on a signal, and does not raise it once more afterwards."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
