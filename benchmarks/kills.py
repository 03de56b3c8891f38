"""Kills searches at random points and goes on with them: `python -m benchmarks.kills [--points 200] [--strategy S]`.

A search of each strategy runs in a process of its own, its model scripted, its tools a stand-in. It is killed (by
kill -9) after a random time, again and again until it ends; then the next one. Counted are kills, questions, those
asked again although their answer was stored, those asked again since their answer was still on its way, and budgets
that were overshot: candidates written, and tokens of all answers that were sent, whether they arrived or not.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer
from rich.console import Console

from agent.budget import SearchBudget
from agent.cli.output import print_json, table
from agent.home import Home
from agent.model_settings import ModelSettings
from agent.models import opening
from agent.results import RunState, SearchRequest
from agent.search.starting import resume_search, start_search
from agent.store import Store
from agent.strategy_names import StrategyName
from benchmarks.long_search import StandIn
from tools.tasks.folder import find

TASK = "vector_add"
CANDIDATES = 2
MOST = SearchBudget(max_candidates=7, max_tokens=3_000_000)
"""Fewer candidates than rounds would have, so that this budget ends a search now and then; tokens for many kills."""
TOKENS = 107
"""Of each answer, read and written."""
_ANSWER_S = 0.01
_SHARE = 0.7
"""Of the time that a search takes: none of its first processes is given longer before it is killed."""
_PATIENCE = 4
"""After so many kills of one search, the next are given twice as long, and so on: each search ends."""
_EVERY = 100_000
_SETTLED_S = 3 * _ANSWER_S
"""After so long the endpoint knows of every answer that it sent to a process that was killed."""


@dataclass
class Tally:
    """What became of the searches of one strategy.

    Attributes:
        kills: Processes that were killed while they worked.
        searches: That were brought to their end.
        questions: Different ones that were answered.
        asked_again: Of these, asked more than once although the first answer was stored.
        on_its_way: Of these, asked more than once since the first answer was not stored when the process was killed.
        overshot: Budgets that were exceeded.
        unfinished: Searches that did not end as they should.
    """

    strategy: str
    kills: int = 0
    searches: int = 0
    questions: int = 0
    asked_again: int = 0
    on_its_way: int = 0
    overshot: int = 0
    unfinished: int = 0


@dataclass
class Endpoint:
    """A scripted endpoint in a process of its own: an answer is a kernel that no other answer is."""

    url: str
    pipe: Connection

    def answered(self) -> Counter[str]:
        """Return how often each question was answered since the last time that this was asked."""
        self.pipe.send("answered")
        return Counter(cast("list[str]", self.pipe.recv()))


@dataclass
class _Script:
    """What the endpoint says."""

    answered: list[str] = field(default_factory=list[str])
    number: int = 0

    def reply(self, body: dict[str, Any]) -> bytes:
        self.number += 1
        time.sleep(_ANSWER_S * random.random())
        first = str(body["messages"][0]["content"])
        text = "The loads are what it waits for."
        if first.startswith("# Role\n\nYou write one CUDA kernel file"):
            latency = 10.0 + 90.0 / self.number
            text = f"```cuda\n{_kernel()}// takes {latency:.9f} us\n```\n"
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": TOKENS - 7, "completion_tokens": 7, "total_tokens": TOKENS}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        whole = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        return json.dumps({**whole, "usage": usage}).encode()


def said(messages: Sequence[dict[str, Any]]) -> str:
    """Return what a question is known by on both sides: who said what."""
    return json.dumps([[message["role"], message["content"]] for message in messages])


@dataclass(frozen=True)
class Searches:
    """The searches of a strategy: so many rounds, in a home, with an endpoint."""

    strategy: StrategyName
    rounds: int
    home: Home
    endpoint: Endpoint

    def request(self, seed: int) -> SearchRequest:
        """Return a request for one of them."""
        return SearchRequest(
            task=TASK,
            device="sim:h200",
            model="m",
            base_url=self.endpoint.url,
            candidates=CANDIDATES,
            depth=self.rounds,
            strategy=self.strategy,
            patience=self.rounds,
            seed=seed,
            models=ModelSettings(max_output_tokens=256),
            budget=MOST,
        )


def kill_searches(searches: Searches, points: int, seed: int) -> Tally:
    """Kill searches at so many points, and bring each to its end."""
    rng, tally = random.Random(seed), Tally(str(searches.strategy))
    lasts = _measured(searches)
    while tally.kills < points:
        tally.searches += 1
        _one(searches, rng, lasts, tally)
    return tally


def _one(searches: Searches, rng: random.Random, lasts: float, tally: Tally) -> None:
    """Take one search to its end through as many kills as it meets."""
    request, home, endpoint = searches.request(rng.randrange(2**31)), searches.home, searches.endpoint
    run, killed = cast("str | None", None), True
    sent, stored, kills = Counter[str](), set[str](), 0
    while killed:
        known = _runs(home)
        killed = _work(request, run, home, rng.uniform(0.0, _SHARE * lasts * (1 + kills // _PATIENCE)))
        kills += killed
        run = run or next(iter(_runs(home) - known), None)
        time.sleep(_SETTLED_S)
        answered = endpoint.answered()
        again = sum(count for question, count in answered.items() if question in stored)
        tally.asked_again += again
        tally.on_its_way += sum(answered.values()) - len(answered.keys() - sent.keys()) - again
        sent += answered
        stored = set[str]() if run is None else _stored(home, run)
    tally.kills += kills
    tally.questions += len(sent)
    _hold(tally, home, run, sent.total() * TOKENS)


def _hold(tally: Tally, home: Home, run: str | None, tokens: int) -> None:
    """Count what a search that ended did not keep to."""
    store = Store(home)
    if run is None or store.get_run(run).state is not RunState.COMPLETED:
        tally.unfinished += 1
        return
    result = store.get_result(run)
    tally.unfinished += result.best is None
    tally.overshot += len(result.candidates) > (MOST.max_candidates or 0)
    tally.overshot += max(tokens, result.model_tokens) > (MOST.max_tokens or 0)


# A store is opened for each look: no connection to SQLite may be open when this process forks.
def _runs(home: Home) -> set[str]:
    return {one.run for one in Store(home).list_runs(_EVERY)}


def _stored(home: Home, run: str) -> set[str]:
    """Return the questions of a run whose answers are stored."""
    exchanges = Store(home).replies(run).exchanges(("planner", "coder", "critic"))
    return {said([dict(one) for one in exchange.asked.messages]) for exchange in exchanges if exchange.asked}


def _measured(searches: Searches) -> float:
    """Return how long a search lasts that nobody kills, in seconds."""
    began = time.monotonic()
    assert not _work(searches.request(0), None, searches.home, None), "nobody killed it"
    searches.endpoint.answered()
    return time.monotonic() - began


def _work(request: SearchRequest, run: str | None, home: Home, limit_s: float | None) -> bool:
    """Start a search in a process of its own, or go on with one; return whether it was killed."""
    child = os.fork()
    if child == 0:
        _be_child(request, run, home)
    deadline = None if limit_s is None else time.monotonic() + limit_s
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.waitstatus_to_exitcode(status) == 0, "a search failed"
            return False
        if deadline is not None and time.monotonic() >= deadline:
            break
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def _be_child(request: SearchRequest, run: str | None, home: Home) -> NoReturn:
    """Work on a search and end, whatever happens: what the process forked from is never gone back to."""
    status = 1
    try:
        if run is None:
            asyncio.run(start_search(request, home=home, toolbox=StandIn()))
        else:
            asyncio.run(resume_search(run, home=home, toolbox=StandIn()))
        status = 0
    finally:
        if status:
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(status)


def _kernel() -> str:
    return find(TASK).baseline


def _serve(pipe: Connection) -> None:
    """Be the endpoint until the pipe is closed."""
    script = _Script()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            return None

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            asked = self.rfile.read(length)
            if len(asked) < length:  # whoever asked was killed meanwhile
                return
            body = json.loads(asked)
            data = script.reply(body)
            with suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                script.answered.append(said(body["messages"]))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    pipe.send(f"http://127.0.0.1:{server.server_port}/v1")
    with suppress(EOFError):
        while pipe.recv():
            told, script.answered = script.answered, []
            pipe.send(told)


@contextmanager
def serving() -> Generator[Endpoint, None, None]:
    """Start the endpoint in a process of its own, so that this one has no threads when it forks."""
    context = get_context("fork")
    mine, its = context.Pipe()
    process = context.Process(target=_serve, args=(its,), daemon=True)
    process.start()
    its.close()
    try:
        yield Endpoint(cast("str", mine.recv()), mine)
    finally:
        mine.close()
        process.kill()
        process.join()


def main(
    points: Annotated[int, typer.Option(min=1, help="Kills of each strategy.")] = 200,
    strategy: Annotated[
        list[StrategyName] | None, typer.Option(help="May be given several times; unset, all.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Of a search.")] = 4,
    seed: Annotated[int, typer.Option()] = 1,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Kill searches of each strategy, and print what was paid twice and what was overshot."""
    os.environ |= {"NO_PROXY": "127.0.0.1", "OPENAI_API_KEY": "none"}
    assert opening.ChatModels, "imported before the first fork: no child has to"
    tallies: list[Tally] = []
    with serving() as endpoint, tempfile.TemporaryDirectory() as folder:
        for name in strategy or list(StrategyName):
            searches = Searches(name, rounds, Home(Path(folder) / str(name)), endpoint)
            tallies.append(kill_searches(searches, points, seed))
    if as_json:
        print_json([asdict(one) for one in tallies])
        return
    heads = ("kills", "searches", "questions", "asked again", "on its way", "overshot", "unfinished")
    made = table("!strategy", *(f">{head}" for head in heads))
    for one in tallies:
        made.add_row(*(str(value) for value in asdict(one).values()))
    Console(width=120, highlight=False).print(made)


if __name__ == "__main__":
    typer.run(main)
