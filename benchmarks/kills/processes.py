"""A search in a process of its own, which may be killed while it works."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from typing import NoReturn

from agent.budget import SearchBudget
from agent.home import Home
from agent.model_settings import ModelSettings
from agent.results import SearchRequest
from agent.search.starting import resume_search, start_search
from agent.strategy_names import StrategyName
from benchmarks.kills.endpoint import TASK, Endpoint
from benchmarks.long_search import StandIn

CANDIDATES = 2
MOST = SearchBudget(max_candidates=7, max_tokens=3_000_000)
"""Fewer candidates than rounds would have, so that this budget ends a search now and then; tokens for many kills."""


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


def work(request: SearchRequest, run: str | None, home: Home, limit_s: float | None) -> bool:
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
