"""The server over streamable HTTP: who may connect, from where, and how much."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import uvicorn
from mcp.server import MCPServer
from mcp.server.auth.provider import TokenVerifier
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from agent.home import Home
from agent.mcp.access.beside import Beside, PageMaker, PagesOf, WebSite
from agent.mcp.access.callers import open_access
from agent.mcp.access.connections import PunctualConnection, room_for
from agent.mcp.access.json_errors import JsonErrors
from agent.mcp.access.oauth import OAuth
from agent.mcp.access.rates import RateLimits
from agent.mcp.access.tokens import Allowance, TokenFile
from agent.mcp.offer import Offer, offered
from agent.mcp.server import build_server, required
from agent.mcp.services import Services, ServicesInUse
from sandbox.errors import MissingDependencyError, UsageError

PATH = "/mcp"
LARGEST_BODY = 4 * 1024 * 1024
"""Bytes of a request; a task and a kernel file together are far smaller."""
MOST_CONNECTIONS = 2000
MOST_SESSIONS = 2000
"""Sessions of the protocol's older era; each is forgotten after half an hour without a request."""
_HEADERS_AT_MOST = 32 * 1024
_HEADERS_OF_CLIENTS = (
    *("authorization", "content-type", "last-event-id", "mcp-method", "mcp-name", "mcp-protocol-version"),
    "mcp-session-id",
)
_HEADERS_OF_ANSWERS = ("mcp-protocol-version", "mcp-session-id", "retry-after", "www-authenticate")
_GRACE_S = 5
_IDLE_S = 75
"""Longer than HTTP clients keep an idle connection, or one would send on a connection that is just being closed."""
_OWN = Allowance(requests_per_minute=100_000, requests_at_once=MOST_CONNECTIONS)
"""On loopback without tokens every caller is this machine's own person."""


@dataclass(frozen=True)
class ListenAddress:
    """Where to listen, and under which names clients reach it.

    Attributes:
        host: A name or an address; port 0 takes a free one.
        names: Further `Host` headers to answer to: a name, or a name and port.
        origins: Web pages that may call, as `Origin` headers name them; none but the server's own otherwise.
        certificate: PEM files of a certificate and its key, for HTTPS.
        public_url: What clients are given as the server's URL, where a proxy stands before it.
        metrics: Where Prometheus is answered, `HOST:PORT`; None for nowhere.

    Raises:
        UsageError: The public URL is none.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    certificate: tuple[Path, Path] | None = None
    public_url: str | None = None
    metrics: str | None = None

    def __post_init__(self) -> None:
        if self.public_url is not None and not _is_web_address(self.public_url):
            msg = f"{self.public_url[:200]!r} is no URL of an MCP server: https://HOST/mcp was expected"
            raise UsageError(msg)

    def own_url(self, port: int) -> str:
        """Return where the server listens."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.certificate is None else 'https'}://{host}:{port}{PATH}"

    def url(self, port: int) -> str:
        """Return what clients are given.

        Raises:
            UsageError: No client can use the address listened on, and none is given in its place.
        """
        if self.public_url is None and self.host in ("0.0.0.0", "::", ""):
            msg = f"no client reaches this server as {self.host}: say by which URL they do, with --public-url"
            raise UsageError(msg)
        return self.public_url or self.own_url(port)


async def serve_http(  # noqa: PLR0913 - what a server is made of
    home: Home,
    device: str,
    base_url: str | None,
    address: ListenAddress,
    oauth: OAuth | None = None,
    offer: Offer | None = None,
    pages: PageMaker | None = None,
    *,
    workers: str | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM. Says on standard error where it listens.

    Args:
        home: Where runs and tokens are kept.
        device: What its tools and searches use.
        base_url: Endpoint of chat models; None for the usual one.
        address: Where to listen.
        oauth: An issuer whose tokens are taken too.
        offer: What is served; None for everything.
        pages: Makes what is served beside MCP; None for nothing.
        workers: The Ray cluster that judges; None for this machine's own pool.

    Raises:
        UsageError: The address cannot be used, or is beyond this machine while nobody is kept out; or what is
            said of the OAuth issuer is wrong.
        MissingDependencyError: This machine lacks the device, the compiler or its headers; or the OAuth issuer
            does not answer.
    """
    room_for(MOST_CONNECTIONS)
    async with required(home, device, workers):
        tokens = TokenFile(home.tokens)
        guarded = oauth is not None or any(True for _ in tokens)
        with listen(address, authenticated=guarded) as listening:
            url = "" if oauth is None else address.url(listening.getsockname()[1])
            access = await open_access(tokens, oauth, url) if guarded else None
            verifier, auth = (None, None) if access is None else (access.callers, access.settings)
            told = replace(offer or Offer(), tells_paths=False)
            in_use = ServicesInUse()
            server = build_server(
                *(home, device, base_url, verifier, auth, told), opened=in_use.take, workers=workers
            )
            if address.metrics is not None:
                _tell_prometheus(server, home, address.metrics, told)
            scopes = () if auth is None else tuple(auth.required_scopes or ())
            beside = None if pages is None else PagesOf(pages, home, in_use, told, scopes)
            await serve_on(listening, server, address, verifier, beside)


def _tell_prometheus(server: MCPServer[Services], home: Home, address: str, offer: Offer) -> None:
    try:
        from agent.mcp.metrics import open_metrics
    except ImportError as error:
        msg = "--metrics needs prometheus-client, which is not installed: pip install 'warpwright[observe]'"
        raise MissingDependencyError(msg) from error
    counted, url = open_metrics(home, address, frozenset(tool.name for tool in offered(offer)))
    server.middleware.append(counted)
    sys.stderr.write(f"metrics at {url}\n")


async def serve_on(
    listening: socket.socket,
    server: MCPServer[Services],
    address: ListenAddress,
    callers: TokenVerifier | None = None,
    beside: PagesOf | None = None,
) -> None:
    """Serve on what `listen` gave until Ctrl-C or SIGTERM, and say where on standard error."""
    await asyncio.sleep(
        0
    )  # an interrupt while all this was imported ends it here, without a word of the server's
    port, ending = listening.getsockname()[1], asyncio.Event()
    app = application(server, address, port, callers, beside and (beside, ending))
    if beside is not None:
        sys.stderr.write(f"pages at {address.own_url(port).removesuffix(PATH)}/\n")
    sys.stderr.write(f"listening on {address.own_url(port)}\n")
    sys.stderr.flush()
    await _Server(_configuration(app, address), ending).serve([listening])


def application(
    server: MCPServer[Services],
    address: ListenAddress,
    port: int,
    callers: TokenVerifier | None = None,
    beside: tuple[PagesOf, asyncio.Event] | None = None,
) -> ASGIApp:
    """Return what answers on a port: MCP, and the pages beside it with the event that ends their streams."""
    mcp = _build_app(server, address, port, callers)
    if beside is None:
        return mcp
    told, ending = beside
    hosts, origins = _names(address, port)
    site = WebSite(
        url=address.own_url(port).removesuffix(PATH) + "/",
        home=told.home,
        services=told.services,
        offer=told.offer,
        callers=callers,
        scopes=told.scopes,
        everyone=_OWN,
        hosts=frozenset(hosts),
        origins=frozenset(origins),
        secure=address.certificate is not None or (address.public_url or "").startswith("https:"),
        ending=ending,
    )
    return Beside(mcp, told.pages(site))


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query + parts.fragment
    except ValueError:
        return False


def listen(address: ListenAddress, *, authenticated: bool) -> socket.socket:
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
                " make one with `warpwright token add NAME`, or give --oauth"
            )
            raise UsageError(msg)
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen(MOST_CONNECTIONS)  # so that who reads where it listens can connect
    except OSError as error:
        msg = f"{address.host}, port {address.port}, cannot be listened on: {error.strerror or error}"
        raise UsageError(msg) from None
    return listening


def _names(address: ListenAddress, port: int) -> tuple[list[str], set[str]]:
    """Return by which `Host` headers the server is known, and the origins of its own pages."""
    names = {"127.0.0.1", "localhost", "[::1]", socket.gethostname(), socket.getfqdn(), *address.names}
    names.add(f"[{address.host}]" if ":" in address.host else address.host)
    if address.public_url is not None:
        names.add(urlsplit(address.public_url).netloc)
    hosts = sorted({host for name in names for host in (name, f"{name}:{port}")})
    return hosts, {f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts}


def _build_app(
    server: MCPServer[Services], address: ListenAddress, port: int, callers: TokenVerifier | None
) -> Starlette:
    hosts, own = _names(address, port)
    origins = sorted(own | set(address.origins))
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        host=address.host,
        max_request_body_size=LARGEST_BODY,
        max_sessions=MOST_SESSIONS,
        transport_security=TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins),
    )
    app.add_middleware(RateLimits, callers=callers, everyone=_OWN)
    # Before who calls is asked: a browser asks whether it may send a token without sending one.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=_HEADERS_OF_CLIENTS,
        expose_headers=_HEADERS_OF_ANSWERS,
    )
    app.add_middleware(JsonErrors)
    return app


def _configuration(app: ASGIApp, address: ListenAddress) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=PunctualConnection,
        log_config=None,
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


class _Server(uvicorn.Server):
    """Ends in order on a signal, and does not raise it once more afterwards."""

    def __init__(self, config: uvicorn.Config, ending: asyncio.Event) -> None:
        super().__init__(config)
        self._ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self._ending.set()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
