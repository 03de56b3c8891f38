"""Which model does what: a model for each role, and several coders of which the better one writes more."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest

from agent.home import Home
from agent.model_settings import ModelSettings
from agent.search.starting import start_search
from agent.store import Store
from tests.agent.model_server import Answer, Question, serving
from tests.agent.search_fakes import FakeToolbox, fenced, kernel


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


async def test_each_role_has_the_model_that_was_chosen_for_it_and_its_settings(
    home: Home, toolbox: FakeToolbox, request_of
):
    numbers = count(1)

    def answer(question: Question) -> Answer:
        faster = fenced(kernel(f"LATENCY {50 - next(numbers)}"))
        return faster if question.role == "coder" else "Loads wait."

    models = ModelSettings(planner="p", coder=("c",), critic="k", temperature=0.25, max_output_tokens=512)
    with serving(answer) as server:
        request = request_of(model="m", base_url=server.url, models=models, depth=2)
        result = await start_search(request, home=home, toolbox=toolbox)
    asked = {(one.role, one.body["model"]) for one in server.asked}
    assert asked == {("planner", "p"), ("coder", "c"), ("critic", "k")}
    assert result.model == "p, c, k"
    assert {(one.body["temperature"], one.body["max_tokens"]) for one in server.asked} == {(0.25, 512)}


async def test_of_several_coders_the_one_whose_kernels_gain_writes_more(
    home: Home, toolbox: FakeToolbox, request_of
):
    numbers = count(1)

    def answer(question: Question) -> Answer:
        if question.role != "coder":
            return "Loads wait."
        number = next(numbers)
        mark = (
            f"LATENCY {90 * 0.8**number:.9f}" if question.body["model"] == "good" else f"LATENCY 200 {number}"
        )
        return fenced(kernel(mark))

    models = ModelSettings(coder=("good", "bad"))
    with serving(answer) as server:
        request = request_of(model="m", base_url=server.url, models=models, candidates=4, depth=4, patience=9)
        result = await start_search(request, home=home, toolbox=toolbox)
        wrote = Counter(one.body["model"] for one in server.of("coder"))
    assert wrote["good"] > wrote["bad"] > 0
    known = Store(home).replies(result.run).writers(5)
    assert known["good"][1] > 0
    assert known["bad"] == (wrote["bad"], 0)
