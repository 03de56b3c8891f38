"""In several ways coders are asked; the way whose kernels gain is taken more, and a resumed candidate keeps its own."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest

from agent.home import Home
from agent.search.starting import resume_search, start_search
from agent.store import Store
from prompts import PLAIN, variant_text, variants
from tests.agent.model_server import Answer, Question, serving
from tests.agent.search_fakes import FakeToolbox, fenced, kernel


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def way(text: str) -> str:
    """Return the way in which a request asks."""
    return next(
        (name for name in variants("coder") if name != PLAIN and variant_text("coder", name) in text), PLAIN
    )


async def test_the_way_of_asking_whose_kernels_gain_is_taken_more(
    home: Home, toolbox: FakeToolbox, request_of
):
    numbers = count(1)

    def answer(question: Question) -> Answer:
        if question.role != "coder":
            return "Loads wait."
        number = next(numbers)
        gains = way(question.text) == "derive_first"
        return fenced(kernel(f"LATENCY {90 * 0.9**number:.9f}" if gains else f"LATENCY 200 {number}"))

    with serving(answer) as server:
        request = request_of(model="m", base_url=server.url, candidates=6, depth=6, patience=9)
        result = await start_search(request, home=home, toolbox=toolbox)
        asked = Counter(way(one.text) for one in server.of("coder"))
    assert set(asked) == set(variants("coder"))
    assert asked.most_common(1)[0][0] == "derive_first"
    tallies = {one.name: one for one in Store(home).credits.prompts()}
    assert tallies["derive_first"].improved > 0 == tallies[PLAIN].improved
    assert {name: one.tries for name, one in tallies.items()} == dict(asked)
    assert result.best is not None


async def test_a_candidate_that_is_gone_on_with_is_asked_in_the_way_that_it_was(
    home: Home, toolbox: FakeToolbox, request_of, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("agent.models.endpoint.RETRIES", 0)
    down = True

    def answer(question: Question) -> Answer:
        if question.role != "coder":
            return "Loads wait."
        if len(question.body["messages"]) == 2:
            return fenced(kernel("WRONG"))
        return 503 if down else fenced(kernel("LATENCY 10"))

    with serving(answer) as server:
        with pytest.raises(Exception, match="warpwright resume"):
            await start_search(
                request_of(model="m", base_url=server.url, depth=1), home=home, toolbox=toolbox
            )
        down, before = False, len(server.of("coder"))
        monkeypatch.setattr("agent.models.chat.choose_arm", lambda arms, tallies, seed: arms[-1])
        (run,) = Store(home).list_runs()
        await resume_search(run.run, home=home, toolbox=toolbox)
        assert len(server.of("coder")) == before + 1
