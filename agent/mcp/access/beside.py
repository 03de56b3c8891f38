"""Pages beside MCP under one address: neither passes through the other's chain, and both know callers alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mcp.server.auth.provider import TokenVerifier
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.home import Home
from agent.mcp.access.tokens import Allowance
from agent.mcp.offer import Offer
from agent.mcp.services import Services, ServicesInUse


@dataclass(frozen=True)
class WebSite:
    """What pages know of the server that they are part of.

    Attributes:
        url: Where it listens.
        home: Where its runs and its keys are.
        services: Returns its tools and searches; they are there while it serves.
        offer: What of them it serves.
        callers: Knows who may call; None where every caller is this machine's own person.
        scopes: What is asked of a caller's token.
        everyone: What each address may use where nobody is asked.
        hosts: `Host` headers that it answers to.
        origins: Its own pages' `Origin` headers.
        secure: Whether browsers reach it over HTTPS.
        ending: Set once the server is to end, so that open streams end too.
    """

    url: str
    home: Home
    services: Callable[[], Services]
    offer: Offer
    callers: TokenVerifier | None
    scopes: tuple[str, ...]
    everyone: Allowance
    hosts: frozenset[str]
    origins: frozenset[str]
    secure: bool
    ending: asyncio.Event


class Pages(Protocol):
    """An application that answers some paths."""

    def answers(self, path: str) -> bool:
        """Say whether a path is one of its own."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        ...


PageMaker = Callable[[WebSite], Pages]


@dataclass(frozen=True)
class PagesOf:
    """What is served beside MCP, as far as it is known before the server listens."""

    pages: PageMaker
    home: Home
    services: ServicesInUse
    offer: Offer
    scopes: tuple[str, ...] = ()


class Beside:
    """ASGI: pages answer the paths that are theirs, MCP everything else; its start and end are MCP's."""

    def __init__(self, mcp: ASGIApp, pages: Pages) -> None:
        """Join the two."""
        self._mcp = mcp
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's start and end."""
        pages = scope["type"] == "http" and self._pages.answers(scope["path"])
        await (self._pages if pages else self._mcp)(scope, receive, send)
