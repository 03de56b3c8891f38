"""`warpwright serve --http` as a real process on a free port of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from supervisors import end_supervisor

from agent.home import Home

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Served:
    """A running server."""

    url: str
    process: subprocess.Popen[str]

    @asynccontextmanager
    async def client(self, token: str | None = None, mode: str = "auto") -> AsyncIterator[Client]:
        """Give an MCP client with a token."""
        async with (
            httpx2.AsyncClient(headers=bearer(token), timeout=60) as http,
            Client(streamable_http_client(self.url, http_client=http), mode=mode) as client,
        ):
            yield client


def bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"authorization": f"Bearer {token}"}


def ask(url: str, token: str | None, method: str = "tools/list", **headers: str) -> httpx2.Response:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return httpx2.post(
        url,
        json={"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta}},
        headers={
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": method,
            **bearer(token),
            **headers,
        },
    )


def environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "WARPWRIGHT_HOME": str(home), "PYTHONPATH": str(ROOT)}


@contextmanager
def http_server(home: Path, *options: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "agent.cli", "serve", "--http", "--port", "0", *options]
    process = subprocess.Popen(command, env=environment(home), stderr=subprocess.PIPE, text=True)
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
            yield Served(line.split()[-1], process)
        finally:
            process.terminate()
            process.communicate(timeout=30)
            end_supervisor(Home(home))
