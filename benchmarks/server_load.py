"""Many clients of several servers behind one address, each server restarted in turn.

    python -m benchmarks.server_load [--clients 500] [--searches 16] [--servers 2] [--restarts 1] [--json]

The servers share one home and one store: a file, or the database that WARPWRIGHT_DATABASE names. Searches ask a model
that is a script, and are judged by a stand-in, so that nothing waits for kernels. A client asks each
question of the next server, and of the one after it where that one is gone, as a load balancer would have it: for the
status of searches, whichever server was asked to begin them, for their results and for their list. Meanwhile each
server is told to end and started anew, one after the other. Printed is how many questions got no answer, how many
searches did not end or ran more than once, and how long answers took.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
from sqlalchemy import select

from agent.cli.output import print_json
from agent.home import Home
from agent.settings_file import NAME
from agent.store import Store
from agent.store.address import database_of
from agent.store.database import Database
from agent.store.tables import jobs
from benchmarks.clients import TLS
from benchmarks.kills.endpoint import serving
from benchmarks.scripted_supervisor import scripted_supervisor

_ROOT = Path(__file__).resolve().parents[1]
_PROTOCOL = "2026-07-28"
_META: dict[str, object] = {
    "io.modelcontextprotocol/protocolVersion": _PROTOCOL,
    "io.modelcontextprotocol/clientCapabilities": {},
}
_TRIES, _BETWEEN_S = 40, 0.25
"""A question is asked until a server answers, for at least ten seconds."""
_LONGEST_S = 240.0
_TASK = "vector_add"


@dataclass(frozen=True)
class Plan:
    """What is asked of the servers.

    Attributes:
        pause: Seconds between two questions of a client.
        wait: Seconds that a status may be held for, at most.
        restarts: Of each server.
        rounds: Of each search, of four candidates each.
    """

    clients: int
    searches: int
    servers: int
    restarts: int
    rounds: int
    seconds: float
    pause: float
    wait: float


@dataclass
class Seen:
    """What clients saw.

    Attributes:
        answers: Questions that were answered.
        lost: Questions that got no answer, or one that says that a search is not there or was cancelled.
        again: Times that a question was asked of the next server, since one was gone.
        unfinished: Searches that did not end as they should.
        repeated: Searches that more than one job, or more than one supervisor, worked on.
        median_ms: Of the answers that were not held back (`status` with no wait, lists, results).
    """

    engine: str = "sqlite"
    restarts: int = 0
    answers: int = 0
    lost: int = 0
    again: int = 0
    unfinished: int = 0
    repeated: int = 0
    median_ms: float = 0.0
    p95_ms: float = 0.0
    latencies: list[float] = field(default_factory=list[float], repr=False)


class _Server:
    """A server process on a port that it keeps over restarts."""

    def __init__(self, home: Path, base_url: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self._home, self._base_url = home, base_url
        self._process: subprocess.Popen[str] | None = None
        self.said: list[str] = []

    def start(self) -> None:
        command = [sys.executable, "-m", "warpwright", "serve", "--http", "--device", "sim:h200"]
        self._process = subprocess.Popen(
            [*command, "--port", str(self.port), "--base-url", self._base_url],
            env={**os.environ, "WARPWRIGHT_HOME": str(self._home), "PYTHONPATH": str(_ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        if not any(line.startswith("listening on ") for line in self._process.stderr):
            raise SystemExit("a server did not start")
        # Or it would wait for a reader, once it has said as much as a pipe holds.
        threading.Thread(target=self.said.extend, args=(self._process.stderr,), daemon=True).start()

    def end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=120)


class Balanced:
    """Asks the servers in turn, and the next one where one is gone."""

    def __init__(self, http: httpx2.AsyncClient, urls: list[str], seen: Seen) -> None:
        self._http = http
        self._urls = itertools.cycle(urls)
        self._seen = seen

    async def call(self, tool: str, **arguments: object) -> dict[str, Any]:
        """Call a tool and return what it answers; raise RuntimeError where no server does."""
        params: dict[str, object] = {"name": tool, "arguments": arguments, "_meta": _META}
        body: dict[str, object] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": _PROTOCOL,
            "mcp-method": "tools/call",
            "mcp-name": tool,
        }
        for _ in range(_TRIES):
            try:
                response = await self._http.post(next(self._urls), json=body, headers=headers)
                if response.status_code < 500 and (answer := _answer(response.text)) is not None:
                    return answer
            except httpx2.TransportError:
                pass
            self._seen.again += 1
            await asyncio.sleep(_BETWEEN_S)
        raise RuntimeError(f"{tool}: no server answers")


def _answer(text: str) -> dict[str, Any] | None:
    """Return a tool's answer, of JSON or of the last event of a stream; None for one that was cut off."""
    lines = [line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:")] or [text]
    for line in reversed(lines):
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if "error" in said:
            raise RuntimeError(str(said["error"]))
        if "result" in said:
            found = said["result"]
            if found.get("isError"):
                raise RuntimeError(str(found.get("content")))
            return found["structuredContent"]
    return None


async def _ask(asked: Balanced, runs: list[str], plan: Plan, until: float, seen: Seen) -> None:
    """Be one client."""
    rng = random.Random(runs[0])
    await asyncio.sleep(random.uniform(0, plan.pause))
    while time.monotonic() < until:
        run, kind = rng.choice(runs), rng.random()
        held = plan.wait if kind < 0.1 else 0.0
        began = time.monotonic()
        try:
            if kind > 0.9:
                await asked.call("list_searches", limit=20)
            elif kind > 0.7:
                await asked.call("search_result", run=run)
            else:
                status = await asked.call("search_status", run=run, wait_s=held)
                if status["state"] not in ("running", "completed"):
                    raise RuntimeError(f"{run} is {status['state']}")
            seen.answers += 1
            if not held:
                seen.latencies.append(1e3 * (time.monotonic() - began))
        except RuntimeError as error:
            seen.lost += 1
            sys.stderr.write(f"{error}\n")
        await asyncio.sleep(plan.pause)


async def _restart(servers: list[_Server], plan: Plan, seen: Seen) -> None:
    """End and start each server, one after the other, spread over the time."""
    apart = plan.seconds / (len(servers) * plan.restarts + 1)
    for server in servers * plan.restarts:
        await asyncio.sleep(apart)
        await asyncio.to_thread(server.end)
        await asyncio.to_thread(server.start)
        seen.restarts += 1


async def _measure(servers: list[_Server], plan: Plan, seen: Seen) -> list[str]:
    limits = httpx2.Limits(max_connections=plan.clients, max_keepalive_connections=plan.clients)
    async with httpx2.AsyncClient(timeout=120, verify=TLS, limits=limits) as http:
        asked = [Balanced(http, [one.url for one in servers], seen) for _ in range(plan.clients)]
        begun = await asyncio.gather(
            *(
                asked[number % len(asked)].call(
                    "start_search", task=_TASK, model="m", seed=number, candidates=4, depth=plan.rounds
                )
                for number in range(plan.searches)
            ),
            return_exceptions=True,
        )
        for one in begun:
            if isinstance(one, BaseException):
                seen.lost += 1
                sys.stderr.write(f"{one}\n")
        runs = [one["run"] for one in begun if not isinstance(one, BaseException)]
        if not runs:
            raise SystemExit("no search began")
        until = time.monotonic() + plan.seconds
        await asyncio.gather(
            _restart(servers, plan, seen), *(_ask(one, runs, plan, until, seen) for one in asked)
        )
        deadline = time.monotonic() + _LONGEST_S
        for run in runs:
            status = {"state": "running"}
            while status["state"] == "running" and time.monotonic() < deadline:
                status = await asked[0].call("search_status", run=run, wait_s=20)
            result = await asked[-1].call("search_result", run=run)
            seen.unfinished += status["state"] != "completed" or result["verdict"] != "pass"
    return runs


def load(home: Home, plan: Plan, base_url: str) -> Seen:
    """Start servers on one home and an endpoint of models, ask and restart them, and return what clients saw."""
    home.root.mkdir(parents=True, exist_ok=True)
    (home.root / NAME).write_text(f"[supervisor]\njobs_at_once = {max(8, plan.searches)}\n")
    database = Database(database_of(home))
    seen = Seen("sqlite" if database.is_file else "postgresql")
    servers = [_Server(home.root, base_url) for _ in range(plan.servers)]
    with ExitStack() as stack:
        stack.enter_context(scripted_supervisor(home))
        for server in servers:
            stack.callback(server.end)
            server.start()
        runs = asyncio.run(_measure(servers, plan, seen))
    with database.read() as connection:
        worked = list(connection.execute(select(jobs.c.run).where(jobs.c.kind == "search")).scalars())
    stored = {one.run for one in Store(home).list_runs(10_000)}
    seen.repeated = len(worked) - len(set(worked)) + len(stored - set(runs))
    cuts = statistics.quantiles(seen.latencies, n=20)
    seen.median_ms, seen.p95_ms = statistics.median(seen.latencies), cuts[-1]
    return seen


def main(  # noqa: PLR0913 - they are the options of the command
    clients: Annotated[int, typer.Option(min=1)] = 500,
    searches: Annotated[int, typer.Option(min=1, max=256)] = 16,
    servers: Annotated[int, typer.Option(min=2)] = 2,
    restarts: Annotated[int, typer.Option(min=0, help="Of each server.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, max=64, help="Of each search.")] = 16,
    seconds: Annotated[float, typer.Option(help="That clients ask for.")] = 60.0,
    pause: Annotated[float, typer.Option(help="Seconds between two questions of one client.")] = 5.0,
    wait: Annotated[float, typer.Option(help="Seconds that one question in ten is held for.")] = 4.0,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Ask several servers at once while they are restarted; fails where an answer or a search is lost."""
    plan = Plan(clients, searches, servers, restarts, rounds, seconds, pause, wait)
    os.environ |= {"NO_PROXY": "127.0.0.1", "OPENAI_API_KEY": "none"}
    with tempfile.TemporaryDirectory(prefix="warpwright-servers-") as folder, serving() as endpoint:
        seen = load(Home(Path(folder)), plan, endpoint.url)
    if as_json:
        print_json({key: value for key, value in asdict(seen).items() if key != "latencies"})
    else:
        typer.echo(
            f"{seen.engine}: {clients} clients, {searches} searches, {servers} servers, {seen.restarts} restarts;"
            f" load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n"
            f"answers {seen.answers}, lost {seen.lost}, asked again {seen.again};"
            f" searches unfinished {seen.unfinished}, run twice {seen.repeated}\n"
            f"an answer that is not held: median {seen.median_ms:.0f} ms, 95% {seen.p95_ms:.0f} ms"
        )
    raise typer.Exit(int(seen.lost + seen.unfinished + seen.repeated > 0))


if __name__ == "__main__":
    typer.run(main)
