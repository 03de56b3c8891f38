"""Many MCP clients at once on the HTTP server while searches run: python -m benchmarks.clients.

Prints the errors, the latency of `search_status` (which answers at once, wait_s=0) as clients see it, and the
server's memory.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

_ROOT = Path(__file__).resolve().parents[1]
_TASKS = ("softmax", "reduction", "matmul", "transpose", "relu", "sigmoid", "dot_product", "vector_add")


@contextmanager
def _server(home: Path) -> Generator[tuple[str, int]]:
    environment = {**os.environ, "WARPWRIGHT_HOME": str(home), "PYTHONPATH": str(_ROOT)}
    command = [sys.executable, "-m", "agent.cli", "serve", "--http", "--port", "0", "--device", "sim:h200"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = next(line for line in process.stderr if line.startswith("listening on "))
            yield line.split()[-1], process.pid
        finally:
            process.terminate()
            process.communicate(timeout=60)


@asynccontextmanager
async def _client(url: str) -> AsyncGenerator[Client]:
    async with (
        httpx2.AsyncClient(timeout=120) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


async def _call(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    if answer.is_error or answer.structured_content is None:
        raise RuntimeError(f"{tool}: {answer.content}")
    return answer.structured_content


async def _ask(
    url: str, runs: list[str], number: int, until: float, pause: float, latencies: list[float]
) -> int:
    errors = 0
    async with _client(url) as client:
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                await _call(client, "search_status", run=runs[number % len(runs)], wait_s=0)
                latencies.append(time.monotonic() - began)
            except RuntimeError as error:
                errors += 1
                sys.stderr.write(f"{error}\n")
            await asyncio.sleep(pause)
    return errors


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


async def _measure(url: str, pid: int, clients: int, searches: int, seconds: float, pause: float) -> int:
    runs: list[str] = []
    async with _client(url) as client:
        for number in range(searches):
            task = _TASKS[number % len(_TASKS)]
            runs.append((await _call(client, "start_search", task=task, candidates=4, depth=16))["run"])
        latencies: list[float] = []
        memory: list[float] = []
        until = time.monotonic() + seconds
        asking = [
            asyncio.create_task(_ask(url, runs, number, until, pause, latencies)) for number in range(clients)
        ]
        while not all(task.done() for task in asking):
            memory.append(_resident_mb(pid))
            await asyncio.sleep(1.0)
        errors = sum(task.result() for task in asking)
        states = [(await _call(client, "search_status", run=run, wait_s=0))["state"] for run in runs]
        for run in runs:
            await _call(client, "cancel_search", run=run)
    milliseconds = sorted(1000 * latency for latency in latencies)
    cuts = statistics.quantiles(milliseconds, n=100)
    half = len(memory) // 2
    _say(f"clients {clients}, searches {searches} ({states.count('running')} still running), {seconds:.0f} s")
    _say(f"answers {len(milliseconds)}, errors {errors}")
    _say(f"search_status: median {cuts[49]:.1f} ms, 95% {cuts[94]:.1f} ms, worst {milliseconds[-1]:.0f} ms")
    _say(
        f"server memory: {memory[0]:.0f} MB at first, {max(memory[:half]):.0f} MB at most in the first half, "
        f"{max(memory[half:]):.0f} MB in the second"
    )
    return errors


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
    with tempfile.TemporaryDirectory() as home, _server(Path(home)) as (url, pid):
        return min(
            1,
            asyncio.run(_measure(url, pid, chosen.clients, chosen.searches, chosen.seconds, chosen.pause)),
        )


if __name__ == "__main__":
    sys.exit(main())
