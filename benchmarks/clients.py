"""Many MCP clients at once on the HTTP server while searches run: python -m benchmarks.clients.

Prints the errors, the latency of `search_status` (which answers at once, wait_s=0) as clients see it, and the
server's memory.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

_ROOT = Path(__file__).resolve().parents[1]
TASKS = ("softmax", "reduction", "matmul", "transpose", "relu", "sigmoid", "dot_product", "vector_add")


@dataclass(frozen=True)
class _Load:
    clients: int
    searches: int
    seconds: float
    pause: float


@dataclass(frozen=True)
class _Server:
    url: str
    pid: int

    def processor_s(self) -> float:
        """Processor time of the server's threads, without its children's."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@contextmanager
def _server(home: Path) -> Generator[_Server]:
    environment = {**os.environ, "WARPWRIGHT_HOME": str(home), "PYTHONPATH": str(_ROOT)}
    command = [sys.executable, "-m", "warpwright", "serve", "--http", "--port", "0", "--device", "sim:h200"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = next(line for line in process.stderr if line.startswith("listening on "))
            yield _Server(line.split()[-1], process.pid)
        finally:
            process.terminate()
            process.communicate(timeout=60)


TLS = ssl.create_default_context()
"""Made once: it takes longer than a request, and nothing here uses it."""


@asynccontextmanager
async def _client(url: str) -> AsyncGenerator[Client]:
    async with (
        httpx2.AsyncClient(timeout=120, verify=TLS) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        await client.list_tools()  # as clients do once they are connected, to know what there is
        yield client


async def _call(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    if answer.is_error or answer.structured_content is None:
        raise RuntimeError(f"{tool}: {answer.content}")
    return answer.structured_content


@dataclass
class _Asked:
    """What clients saw: seconds of every answer, and how many calls failed."""

    latencies: list[float] = field(default_factory=list[float])
    errors: int = 0


async def _ask(client: Client, run: str, until: float, pause: float, asked: _Asked) -> None:
    await asyncio.sleep(random.uniform(0, pause))
    while time.monotonic() < until:
        began = time.monotonic()
        try:
            await _call(client, "search_status", run=run, wait_s=0)
            asked.latencies.append(time.monotonic() - began)
        except RuntimeError as error:
            asked.errors += 1
            sys.stderr.write(f"{error}\n")
        await asyncio.sleep(pause)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


async def _measure(server: _Server, load: _Load) -> int:
    asked = _Asked()
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_client(server.url)) for _ in range(load.clients)]
        runs: list[str] = []
        for number in range(load.searches):
            task = TASKS[number % len(TASKS)]
            begun = await _call(clients[0], "start_search", task=task, candidates=4, depth=16)
            runs.append(begun["run"])
        memory: list[float] = []
        spent = server.processor_s(), time.process_time()
        until = time.monotonic() + load.seconds
        asking = [
            asyncio.create_task(_ask(client, runs[number % len(runs)], until, load.pause, asked))
            for number, client in enumerate(clients)
        ]
        while not all(task.done() for task in asking):
            memory.append(server.resident_mb())
            await asyncio.sleep(1.0)
        used = server.processor_s() - spent[0], time.process_time() - spent[1]
        await asyncio.gather(*asking)
        states = [(await _call(clients[0], "search_status", run=run, wait_s=0))["state"] for run in runs]
        for run in runs:
            await _call(clients[0], "cancel_search", run=run)
    _say(
        f"clients {load.clients}, searches {load.searches} ({states.count('running')} still running),"
        f" {load.seconds:.0f} s; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    _report(asked, memory, used)
    return asked.errors


def _report(asked: _Asked, memory: list[float], used: tuple[float, float]) -> None:
    milliseconds = sorted(1000 * latency for latency in asked.latencies)
    cuts = statistics.quantiles(milliseconds, n=100)
    count, half = len(milliseconds), len(memory) // 2
    _say(f"answers {count}, errors {asked.errors}")
    _say(f"search_status: median {cuts[49]:.1f} ms, 95% {cuts[94]:.1f} ms, worst {milliseconds[-1]:.0f} ms")
    server_ms, clients_ms = (1000 * seconds / count for seconds in used)
    _say(f"processor time an answer: server {server_ms:.1f} ms, clients {clients_ms:.1f} ms")
    _say(
        f"server memory: {memory[0]:.0f} MB at first, {max(memory[:half]):.0f} MB at most in the first half, "
        f"{max(memory[half:]):.0f} MB in the second"
    )


def main() -> int:
    """Run the measurement; exit 1 where a client saw an error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--searches", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument(
        "--pause", type=float, default=2.0, help="Seconds between two questions of one client."
    )
    chosen = parser.parse_args()
    load = _Load(chosen.clients, chosen.searches, chosen.seconds, chosen.pause)
    with tempfile.TemporaryDirectory() as home, _server(Path(home)) as server:
        return min(1, asyncio.run(_measure(server, load)))


if __name__ == "__main__":
    sys.exit(main())
