"""`warpwright serve --http` as a real process on a free port of this machine."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client

from agent.home import Home
from agent.results import RunState, SearchRequest, Stop
from agent.store import NewRun, Store
from tests.agent.supervisors import end_supervisor

ROOT = Path(__file__).parents[3]
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of plain http: an own context each reads all certificates of the machine, 18 ms."""


@dataclass(frozen=True)
class Served:
    """A running server."""

    url: str
    process: subprocess.Popen[str]
    said: tuple[str, ...] = ()

    @asynccontextmanager
    async def client(
        self, token: str | None = None, mode: str = "auto", asks: ElicitationFnT | None = None
    ) -> AsyncIterator[Client]:
        """Give an MCP client with a token; `asks` asks its person."""
        async with (
            httpx2.AsyncClient(headers=bearer(token), timeout=60, verify=NO_TLS) as http,
            Client(
                streamable_http_client(self.url, http_client=http), mode=mode, elicitation_callback=asks
            ) as client,
        ):
            yield client


def bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"authorization": f"Bearer {token}"}


def ask(
    url: str,
    token: str | None,
    method: str = "tools/list",
    params: dict[str, Any] | None = None,
    extensions: dict[str, Any] | None = None,
    **headers: str,
) -> httpx2.Response:
    """Send one request as a client of the current protocol does."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"extensions": extensions or {}},
    }
    return httpx2.post(
        url,
        json={"jsonrpc": "2.0", "id": 1, "method": method, "params": {**(params or {}), "_meta": meta}},
        headers={
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": method,
            **bearer(token),
            **headers,
        },
        verify=NO_TLS,
    )


def own_run(home: Path, tenant: str) -> str:
    request = SearchRequest(task="softmax", tenant=tenant, candidates=1, depth=1)
    new = NewRun(request, "softmax", home, "0" * 64, "sim:h200", "process", "composer", 1)
    store = Store(Home(home))
    run = store.create(new)
    store.runs.end(run, RunState.CANCELLED, Stop.CANCELLED, seconds=0)
    return run


def environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "WARPWRIGHT_HOME": str(home), "PYTHONPATH": str(ROOT)}


@contextmanager
def http_server(home: Path, *options: str, also: Mapping[str, str] | None = None) -> Iterator[Served]:
    command = [sys.executable, "-m", "warpwright", "serve", "--http", "--port", "0", *options]
    process = subprocess.Popen(
        command, env={**environment(home), **(also or {})}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process:
        try:
            said: list[str] = []
            for line in process.stderr:
                said.append(line)
                if line.startswith("listening on "):
                    break
            else:
                raise AssertionError("".join(said))
            yield Served(line.split()[-1], process, tuple(said))
        finally:
            process.terminate()
            process.communicate(timeout=30)
            end_supervisor(Home(home))
