"""Searches whose model answers over a real socket, through ChatOpenAI."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from agent.events import Event, Noticed
from agent.home import Home
from agent.results import Stop
from agent.search.session import SearchLostError
from agent.search.starting import resume_search, start_search
from agent.store import Store
from prompts import features
from sandbox.errors import MissingDependencyError, UsageError
from sandbox.verdict import Verdict
from tests.agent.model_server import Answer, ModelServer, Question, serving
from tests.agent.search_fakes import FakeToolbox, fenced, kernel

GOOD = kernel("LATENCY 10")


@pytest.fixture(autouse=True)
def no_proxy_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("OPENAI_API_KEY", "WARPWRIGHT_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def coder_script(*answers: Answer) -> Callable[[Question], Answer]:
    """Answer coders from a script; planners and critics speak prose that holds no JSON."""
    left: Iterator[Answer] = iter(answers)

    def answer(question: Question) -> Answer:
        return next(left) if question.role == "coder" else "Let me think about the memory traffic."

    return answer


async def search(server: ModelServer, home: Home, toolbox: FakeToolbox, request_of, **options: object):
    request = request_of(model="some-model", base_url=server.url, **options)
    return await start_search(request, home=home, toolbox=toolbox)


async def test_a_search_survives_everything_a_model_may_do_and_ends_with_the_right_kernel(
    home: Home, toolbox: FakeToolbox, request_of
):
    stubborn = ["I would use shared memory.", *[fenced(kernel(f"WRONG {number}")) for number in range(3)]]
    script = coder_script(
        *stubborn, fenced(kernel("BROKEN")), 429, 500, fenced(kernel("WRONG 4")), fenced(GOOD)
    )
    with serving(script) as server:
        result = await search(server, home, toolbox, request_of, depth=2)
    assert [record.verdict for record in result.candidates] == [Verdict.WRONG_RESULT, Verdict.PASS]
    assert result.best is not None
    assert result.best.path.read_text() == GOOD
    said = [question.text for question in server.of("coder")]
    assert len(said) == 7
    assert "No kernel could be read: the reply holds no kernel file" in said[1]
    assert "y[3] is 1.5, expected 2.0" in said[2]
    assert "// WRONG 2" in said[4], "the kernel to repair is in the next round's prompt"
    assert 'line 5: error: identifier "BROKEN" is undefined' in said[5]


async def test_prompts_begin_with_what_never_changes(home: Home, toolbox: FakeToolbox, request_of):
    script = coder_script(*[fenced(kernel(f"WRONG {number}")) for number in range(4)], fenced(GOOD))
    with serving(script) as server:
        await search(server, home, toolbox, request_of)
    first, *_, second = (question.text for question in server.of("coder"))
    task = first.partition("# History")[0]
    assert "def reference" in task
    assert second.startswith(task)


async def test_a_plan_in_json_is_followed(home: Home, toolbox: FakeToolbox, request_of):
    def answer(question: Question) -> Answer:
        if question.role == "planner":
            plan = '{"parent": null, "features": ["loop_unrolling", "Not a name"], "why": "loads wait"}'
            return f"```json\n[{plan}]\n```"
        return fenced(GOOD)

    with serving(answer) as server:
        result = await search(server, home, toolbox, request_of, depth=1)
    assert result.candidates[0].features == ["loop_unrolling"]
    (prompt,) = server.of("coder")
    assert "loads wait" in prompt.text
    assert "# loop_unrolling" in prompt.text, "the feature's page is in the prompt"
    assert "None: start afresh." in prompt.text


async def test_an_unreadable_plan_is_replaced_by_what_the_strategy_offers(
    home: Home, toolbox: FakeToolbox, request_of
):
    with serving(coder_script(fenced(GOOD), fenced(kernel("LATENCY 20")))) as server:
        result = await search(server, home, toolbox, request_of, candidates=2, depth=1)
    known = {feature.name for feature in features()}
    assert all(record.features and known.issuperset(record.features) for record in result.candidates)


async def test_an_unreadable_plan_is_asked_for_once_more_and_the_fallback_is_announced(
    home: Home, toolbox: FakeToolbox, request_of, heard: list[Event]
):
    with serving(coder_script(fenced(GOOD))) as server:
        request = request_of(model="some-model", base_url=server.url, depth=1)
        await start_search(request, home=home, toolbox=toolbox, on_event=heard.append)
        first, second = server.of("planner")
    assert second.body["messages"][-2]["content"] == "Let me think about the memory traffic."
    assert "could not be read" in second.text
    assert _way(first) != _way(second), "asked for in a plainer way"
    said = [event.message for event in heard if isinstance(event, Noticed)]
    assert "asked for again" in said[0]
    assert "the strategy's stand in" in said[1]


def _way(question: Question) -> object:
    return question.body.get("response_format"), bool(question.body.get("tools"))


async def test_an_endpoint_that_stays_down_stops_the_search_which_can_be_resumed(
    home: Home, toolbox: FakeToolbox, request_of, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("agent.models.endpoint.RETRIES", 0)
    up = False

    def answer(question: Question) -> Answer:
        return fenced(GOOD) if up else 503

    with serving(answer) as server:
        with pytest.raises(SearchLostError, match="warpwright resume"):
            await search(server, home, toolbox, request_of, depth=5, patience=2)
        up = True
        (run,) = Store(home).list_runs()
        result = await resume_search(run.run, home=home, toolbox=toolbox)
    assert result.verdict is Verdict.PASS
    assert result.stopped is Stop.NO_GAIN
    assert result.candidates[0].round == 1


@pytest.mark.parametrize(
    ("status", "error"), [(401, MissingDependencyError), (403, MissingDependencyError), (404, UsageError)]
)
async def test_a_refused_key_or_an_unknown_model_ends_the_search_at_once(
    home: Home, toolbox: FakeToolbox, request_of, status: int, error: type[Exception]
):
    with serving(lambda question: status) as server:
        with pytest.raises(error, match="some-model"):
            await search(server, home, toolbox, request_of, depth=5)
        assert len(server.asked) == 1


async def test_the_key_comes_from_the_environment(
    home: Home, toolbox: FakeToolbox, request_of, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("WARPWRIGHT_API_KEY", "sk-test-1234")
    with serving(coder_script(fenced(GOOD))) as server:
        result = await search(server, home, toolbox, request_of, depth=1)
    assert result.verdict is Verdict.PASS
    assert b"sk-test-1234" not in home.database.read_bytes()
