"""Budgets hold: over calls at once, over processes that were killed, at prices from anywhere."""

from __future__ import annotations

import asyncio
import threading
import time
from itertools import count

import pytest

from agent.budget import SearchBudget, TokenPrice
from agent.events import Event
from agent.home import Home
from agent.model_settings import ModelSettings
from agent.models.prices import Prices
from agent.results import SearchRequest, SearchResult, Stop
from agent.search.starting import resume_search, start_search
from agent.store import NewRun, Store
from agent.store.ledger import CallCost, Ledger
from sandbox.errors import UsageError
from sandbox.verdict import Verdict
from tests.agent.model_server import Answer, ModelServer, Question, serving
from tests.agent.search_fakes import FakeToolbox, fenced, kernel
from tools.tasks.task import Task

SMALL = ModelSettings(max_output_tokens=256)


@pytest.fixture
def store(home: Home) -> Store:
    return Store(home)


@pytest.fixture
def run(store: Store, task: Task) -> str:
    request = SearchRequest(task="twice")
    return store.create(NewRun(request, task.name, task.folder, task.sha, "sim:fake", "none", "m", 7))


def account(store: Store, run: str, **limits: float) -> Ledger:
    return store.ledger(run, SearchBudget.model_validate(limits))


async def test_a_call_that_could_overshoot_waits_for_others_and_is_made_where_they_were_cheap(
    store: Store, run: str
):
    ledger = account(store, run, max_tokens=1000)
    first = await ledger.reserve("m", CallCost(900, None))
    assert first is not None
    second = asyncio.create_task(ledger.reserve("m", CallCost(200, None)))
    await asyncio.sleep(0.01)
    assert not second.done()
    await ledger.settle(first, CallCost(100, None))
    assert await second is not None
    assert ledger.cost().tokens == 300


async def test_a_call_with_no_room_left_is_refused_with_the_sums(store: Store, run: str):
    ledger = account(store, run, max_usd=1.0)
    call = await ledger.reserve("m", CallCost(10, 0.75))
    assert call is not None
    await ledger.settle(call, CallCost(10, 0.5))
    assert await ledger.reserve("m", CallCost(10, 0.75)) is None
    assert ledger.spent_up == (
        "0.5000 of 1 US dollars (--max-usd) are spent, and the next call may cost 0.7500"
    )


async def test_a_call_whose_process_is_gone_stays_at_its_worst_and_one_never_billed_costs_nothing(
    store: Store, run: str
):
    ledger = account(store, run, max_tokens=1000)
    assert await ledger.reserve("m", CallCost(600, None)) is not None
    later = account(store, run, max_tokens=1000)
    assert await later.reserve("m", CallCost(600, None)) is None
    call = await later.reserve("m", CallCost(400, None))
    assert call is not None
    await later.release(call)
    assert later.cost().tokens == 600


def test_prices_come_from_the_table_then_from_the_library_else_there_is_none():
    prices = Prices({"mine": TokenPrice(input=2.0, output=8.0, cached=0.5)})
    assert prices.usd("mine", "http://127.0.0.1/v1", (1_000_000, 400_000, 500_000)) == pytest.approx(
        1.2 + 0.2 + 4
    )
    assert prices.known("gpt-4o", "https://api.openai.com/v1")
    assert not prices.known("gpt-4o", "http://127.0.0.1/v1"), "another provider has other prices"
    assert not prices.known("nonesuch", "https://api.openai.com/v1")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


class Better:
    """Answers coders with ever faster kernels."""

    def __init__(self) -> None:
        self._number = count(1)

    def __call__(self, question: Question) -> Answer:
        if question.role != "coder":
            return "Loads wait."
        return fenced(kernel(f"LATENCY {100 * 0.9 ** next(self._number):.9f}"))


async def search(
    server: ModelServer, home: Home, toolbox: FakeToolbox, request_of, **options: object
) -> SearchResult:
    request = request_of(model="m", base_url=server.url, models=SMALL, **options)
    return await start_search(request, home=home, toolbox=toolbox)


async def test_a_search_ends_before_its_models_could_cost_more_than_it_may(
    home: Home, toolbox: FakeToolbox, request_of
):
    prices = {"m": TokenPrice(input=0.0, output=1.0)}  # so that the length of prompts decides nothing here
    models = SMALL.model_copy(update={"prices": prices})
    limit = 300e-6
    with serving(Better()) as server:
        request = request_of(
            model="m", base_url=server.url, models=models, candidates=3, depth=20,
            budget=SearchBudget(max_usd=limit),
        )  # fmt: skip
        result = await start_search(request, home=home, toolbox=toolbox)
        asked = len(server.answered)
    assert result.stopped is Stop.BUDGET
    assert result.best is not None, "what was found within the budget is kept"
    assert limit - 256e-6 - 7e-6 < asked * 7e-6 <= limit - 256e-6 + 7e-6, (
        "the last call had room for its worst"
    )
    assert result.model_tokens == 107 * asked
    assert result.model_usd == pytest.approx(7e-6 * asked)


async def test_a_price_that_nobody_knows_is_refused_where_money_is_limited(
    home: Home, toolbox: FakeToolbox, request_of
):
    with serving(Better()) as server:
        with pytest.raises(UsageError, match=r'nobody knows the price of model .m.*\[prices."m"\]'):
            await search(server, home, toolbox, request_of, budget=SearchBudget(max_usd=5))
        assert server.asked == []
    assert Store(home).list_runs() == []


@pytest.mark.parametrize("most", [1, 5])
async def test_no_more_candidates_are_written_than_may_be(
    home: Home, toolbox: FakeToolbox, request_of, most: int
):
    with serving(Better()) as server:
        result = await search(
            server, home, toolbox, request_of, candidates=3, depth=9, budget=SearchBudget(max_candidates=most)
        )
        assert len(server.of("coder")) == len(result.candidates) == most
    assert result.stopped is Stop.BUDGET


async def test_a_search_ends_when_its_time_is_up_and_the_best_is_still_judged(
    home: Home, toolbox: FakeToolbox, request_of, heard: list[Event]
):
    slow = threading.Event()

    def answer_once(question: Question) -> Answer:
        if question.role == "coder" and len(server.of("coder")) >= 1:
            slow.set()
            time.sleep(4)
        return better(question)

    better = Better()
    with serving(answer_once) as server:
        result = await search(server, home, toolbox, request_of, depth=9, budget=SearchBudget(max_seconds=3))
    assert slow.is_set()
    assert result.stopped is Stop.BUDGET
    assert (result.verdict, len(toolbox.confirmed)) == (Verdict.PASS, 1)
    assert 3 <= result.seconds < 6
    again = await resume_search(result.run, home=home, toolbox=toolbox, environment={"OPENAI_API_KEY": "k"})
    assert again == result, "a search whose budget is spent has ended"
