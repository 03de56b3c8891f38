"""Pages and MCP in this process: over HTTP without a socket, or on a port of this machine for a browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

import httpx2
import uvicorn
from mcp.server.auth.provider import TokenVerifier

from agent.home import Home
from agent.mcp.access.beside import PagesOf, WebSite
from agent.mcp.access.http import ListenAddress, application, listen
from agent.mcp.access.tokens import Allowance
from agent.mcp.offer import Offer
from agent.mcp.server import build_server
from agent.mcp.services import ServicesInUse, open_services
from agent.ui.app import user_interface

URL = "http://127.0.0.1:8000"


@asynccontextmanager
async def pages(
    home: Home, callers: TokenVerifier | None = None, offer: Offer | None = None, *, secure: bool = False
) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client of a home's pages, which sends what a browser's own form would."""
    offer = replace(offer or Offer(), tells_paths=False)
    async with open_services(home, "sim:h200", tells_paths=False) as services:
        site = WebSite(
            url=f"{URL}/",
            home=home,
            services=lambda: services,
            offer=offer,
            callers=callers,
            scopes=(),
            everyone=Allowance(),
            hosts=frozenset({"127.0.0.1:8000"}),
            origins=frozenset({URL}),
            secure=secure,
            ending=asyncio.Event(),
        )
        transport = httpx2.ASGITransport(app=user_interface(site))
        headers = {"origin": URL, "sec-fetch-site": "same-origin"}
        async with httpx2.AsyncClient(transport=transport, base_url=URL, headers=headers) as client:
            yield client


class _Quiet(uvicorn.Server):
    """A server that leaves this process's signals alone."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@dataclass
class Here:
    """A server that can be stopped and started again on the same port."""

    home: Home
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        address, self.ending, in_use = ListenAddress(port=self.port), asyncio.Event(), ServicesInUse()
        listening = listen(address, authenticated=False)
        self.port = listening.getsockname()[1]
        offer = Offer(tells_paths=False)
        server = build_server(self.home, "sim:h200", offer=offer, opened=in_use.take)
        beside = PagesOf(user_interface, self.home, in_use, offer), self.ending
        app = application(server, address, self.port, None, beside)
        self._server = _Quiet(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5))
        self._task = asyncio.create_task(self._server.serve([listening]))
        while not self._server.started:
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self.ending.set()
        self._server.should_exit = True
        await self._task
