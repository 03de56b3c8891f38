"""Kills searches at random points until they have ended, and counts what they did not keep to."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import cast

from agent.home import Home
from agent.results import RunState
from agent.store import Store
from benchmarks.kills.endpoint import ANSWER_S, TOKENS, said
from benchmarks.kills.processes import MOST, Searches, work

_SHARE = 0.7
"""Of the time that a search takes: none of its first processes is given longer before it is killed."""
_PATIENCE = 4
"""After so many kills of one search, the next are given twice as long, and so on: each search ends."""
_EVERY = 100_000
_SETTLED_S = 3 * ANSWER_S
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
        killed = work(request, run, home, rng.uniform(0.0, _SHARE * lasts * (1 + kills // _PATIENCE)))
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
    assert not work(searches.request(0), None, searches.home, None), "nobody killed it"
    searches.endpoint.answered()
    return time.monotonic() - began
