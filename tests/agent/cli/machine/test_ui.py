"""`ui`: pages on this machine alone, opened once there is something to connect to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import Result

from agent.home import Home
from agent.mcp.access import http
from agent.mcp.access.beside import PageMaker, WebSite
from agent.mcp.access.http import ListenAddress
from agent.mcp.access.tokens import Allowance
from agent.mcp.offer import Offer
from agent.mcp.services import ServicesInUse

Warpwright = Callable[..., Result]


@pytest.mark.parametrize(("option", "opened"), [("--open", ["http://127.0.0.1:7/"]), ("--no-open", [])])
def test_the_pages_listen_on_this_machine_alone_and_are_opened_if_wanted(
    warpwright: Warpwright, home: Path, monkeypatch: pytest.MonkeyPatch, option: str, opened: list[str]
) -> None:
    launched: list[str] = []
    addresses: list[ListenAddress] = []

    async def serve_http(
        home: Home, device: str, base_url: str | None, address: ListenAddress, *, pages: PageMaker
    ) -> None:
        addresses.append(address)
        site = WebSite(
            *("http://127.0.0.1:7/", home, ServicesInUse(), Offer(), None, (), Allowance()),
            *(frozenset(), frozenset(), False, asyncio.Event()),
        )
        assert pages(site).answers("/runs/some")
        assert not pages(site).answers("/mcp")
        assert not pages(site).answers("/.well-known/oauth-protected-resource/mcp")

    monkeypatch.setattr(http, "serve_http", serve_http)
    monkeypatch.setattr(typer, "launch", launched.append)
    result = warpwright("ui", option, "--port", "7")
    assert result.exit_code == 0, result.output
    assert [(one.host, one.port, one.names) for one in addresses] == [("127.0.0.1", 7, ())]
    assert launched[:1] == opened
