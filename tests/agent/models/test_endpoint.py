"""Endpoints that answer in every way that endpoints do, over a real socket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from agent.home import Home
from agent.model_settings import ModelSettings
from agent.models.dialect import Rung
from agent.models.endpoint import ChatQuestion as Asked
from agent.models.endpoint import Endpoint, open_endpoint
from agent.models.shapes import CRITIQUE
from agent.proposer import ProposalError
from agent.store import Store
from agent.store.replies import Reply
from prompts import load_role
from sandbox.errors import MissingDependencyError, UsageError
from tests.agent.model_server import Answer, ModelServer, Question, Raw, serving, stream

ASKED = Asked((SystemMessage(load_role("speed_critic")), HumanMessage("What bounds it?")))


@pytest.fixture(autouse=True)
def no_proxy_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "OPENAI_PROXY",
        "OPENAI_API_KEY",
        "WARPWRIGHT_API_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def open_at(server: ModelServer, store: Store | None = None, timeout_s: float = 5.0) -> Endpoint:
    settings = ModelSettings(timeout_s=timeout_s)
    return open_endpoint("m", server.url, settings, {}, None if store is None else store.dialects)


async def ask(answer: Answer | Callable[[Question], Answer], **options: float) -> Reply:
    with serving(answer if callable(answer) else lambda question: answer) as server:
        return await open_at(server, **options).ask(ASKED)


def message(**more: object) -> str:
    return json.dumps(
        {"choices": [{"index": 0, "message": {"role": "assistant", **more}, "finish_reason": "stop"}]}
    )


@pytest.mark.parametrize(
    "answer",
    [
        "Strided loads.",
        Raw(message(content="Strided loads.")),
        Raw(stream("Strided loads."), kind="application/json"),
        Raw(message(content=[{"type": "text", "text": "Strided loads."}])),
    ],
    ids=["a stream", "one object", "a stream that calls itself JSON", "content in parts"],
)
async def test_an_answer_is_read_however_it_is_sent(answer: Answer):
    assert (await ask(answer)).text == "Strided loads."


async def test_what_a_stream_counted_refused_or_called_is_kept():
    assert (await ask("Hello.")).tokens_in == 100
    refused = await ask(Raw(message(content=None, refusal="No.")))
    assert (refused.text, refused.refusal) == ("", "No.")
    call = {"index": 0, "id": "a", "function": {"name": "answer", "arguments": '{"text": '}}
    rest = {"index": 0, "function": {"arguments": '"x"}'}}
    chunks = [{"choices": [{"delta": {"tool_calls": [part]}}]} for part in (call, rest)]
    events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    (use,) = (await ask(Raw(events, kind="text/event-stream"))).uses
    assert (use.name, use.arguments) == ("answer", {"text": "x"})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Raw('{"error": {"message": "Provider returned error"}}'), "Provider returned error"),
        (Raw('{"error": "overloaded"}'), "overloaded"),
        (Raw('{"choices": null}'), "no choices"),
        (Raw('{"choices": []}'), "no choices"),
        (Raw('{"choices": [7]}'), "no chat completion"),
        (Raw("[]"), "no chat completion"),
        (Raw(""), "not JSON"),
        (
            Raw("<!doctype html><title>A page</title>", kind="text/html"),
            "text/html, not JSON.*lack a path such as /v1",
        ),
        (Raw('data: {"error": {"message": "overheated"}}\n\n', kind="text/event-stream"), "overheated"),
        (Raw("data: [DONE]\n\n", kind="text/event-stream"), "no choices"),
        (Raw("data: {oops\n\n", kind="text/event-stream"), "an event of the stream is no JSON"),
        (400, "Error code: 400"),
    ],
)
async def test_what_is_no_answer_is_said_in_one_message(answer: Answer, said: str):
    with pytest.raises(ProposalError, match=f"(?s)no answer from model 'm' at http://127.*{said}"):
        await ask(answer)


async def test_an_error_inside_a_200_that_names_a_status_is_tried_again_like_one():
    answers = iter([Raw('{"error": {"message": "busy", "code": 503}}'), "Hello."])
    assert (await ask(lambda question: next(answers))).text == "Hello."


async def test_an_endpoint_that_falls_silent_is_not_asked_again():
    slow = Raw(stream("Hello."), kind="text/event-stream", pause_s=1.0)
    with serving(lambda question: slow) as server:
        with pytest.raises(ProposalError, match=r"nothing came for 0.2 s.*--model-timeout"):
            await open_at(server, timeout_s=0.2).ask(ASKED)
        assert len(server.asked) == 1, "a second question might be billed twice"


async def test_a_slow_answer_that_keeps_coming_is_waited_for():
    slow = Raw(stream("Hello."), kind="text/event-stream", pause_s=0.3)
    assert (await ask(slow, timeout_s=0.5)).text == "Hello."


@pytest.mark.parametrize("status", [402, 429])
async def test_a_quota_that_never_comes_back_is_not_asked_for_again(status: int):
    body = '{"error": {"code": "insufficient_quota", "message": "You exceeded your current quota."}}'
    with serving(lambda question: Raw(body, status)) as server:
        with pytest.raises(MissingDependencyError, match="quota or credit is used up"):
            await open_at(server).ask(ASKED)
        assert len(server.asked) == 1


async def test_a_wait_that_the_endpoint_asks_for_is_kept():
    wait = (("retry-after-ms", "300"),)
    answers = iter([Raw("{}", 429, headers=wait), "Hello."])
    began = time.monotonic()
    assert (await ask(lambda question: next(answers))).text == "Hello."
    assert time.monotonic() - began >= 0.3


async def test_a_longer_wait_than_is_sensible_is_told():
    wait = (("retry-after-ms", ""), ("retry-after", "86400"))
    with pytest.raises(ProposalError, match="Retry-After 86400"):
        await ask(Raw("{}", 429, headers=wait))


@pytest.mark.parametrize(
    ("key", "match"),
    [("sk-\u201cx\u201d", "OPENAI_API_KEY cannot be a key: it holds '.u201c'"), ("sk a", "it holds ' '")],
)
def test_a_key_that_cannot_be_one_is_named(key: str, match: str):
    with pytest.raises(MissingDependencyError, match=match):
        open_endpoint("m", "http://127.0.0.1:1/v1", None, {"OPENAI_API_KEY": key})


async def test_space_around_a_key_is_no_part_of_it():
    with serving(lambda question: "Hello.") as server:
        await open_endpoint("m", server.url, None, {"OPENAI_API_KEY": " sk-1\n"}).ask(ASKED)


@pytest.mark.parametrize("url", ["nowhere", "ftp://x/v1", "http://"])
def test_an_address_that_is_none_is_a_usage_error(url: str):
    with pytest.raises(UsageError, match="is no address"):
        open_endpoint("m", url, None, {})


async def test_a_connection_that_fails_names_the_address_the_cause_and_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("agent.models.endpoint.RETRIES", 0)
    with pytest.raises(
        ProposalError, match=r"no connection to model 'm' at http://127.0.0.1:9/v1: connection refused$"
    ):
        await open_endpoint("m", "http://127.0.0.1:9/v1", None, {}).ask(ASKED)
    monkeypatch.setenv("ALL_PROXY", "socks5://me:secret@127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(
        ProposalError, match=r"refused; asked by the proxy of ALL_PROXY, socks5://127.0.0.1:9"
    ):
        await open_endpoint("m", "http://model.invalid/v1", None, {}).ask(ASKED)


async def test_a_model_without_a_system_role_is_told_in_the_first_message_from_then_on(home: Home):
    def answer(question: Question) -> Answer:
        if question.body["messages"][0]["role"] == "system":
            return Raw('{"error": {"message": "System role not supported"}}', 400)
        return "Hello."

    store = Store(home)
    with serving(answer) as server:
        await open_at(server, store).ask(ASKED)
        await open_at(server, store).ask(ASKED)
    assert [question.body["messages"][0]["role"] for question in server.asked] == ["system", "user", "user"]
    assert server.asked[1].body["messages"][0]["content"].endswith("What bounds it?")


async def test_structured_answers_go_down_a_ladder_that_is_remembered(home: Home):
    def answer(question: Question) -> Answer:
        plain = not {"response_format", "tools"} & question.body.keys()
        return "Hello." if plain else Raw('{"error": "response_format and tools are not supported"}', 400)

    store = Store(home)
    with serving(answer) as server:
        await open_at(server, store).ask(Asked(ASKED.messages, CRITIQUE))
        assert [_way(question) for question in server.asked] == ["json_schema", "tool", "json_object", "text"]
        await open_at(server, store).ask(Asked(ASKED.messages, CRITIQUE))
    assert _way(server.asked[-1]) == "text"
    assert len(server.asked) == 5
    assert open_at(server, store).dialect.rung is Rung.TEXT


async def test_a_server_that_knows_no_token_counts_of_streams_is_asked_without(home: Home):
    def answer(question: Question) -> Answer:
        refused = "stream_options" in question.body
        return Raw('{"error": "unknown field stream_options"}', 400) if refused else "Hello."

    store = Store(home)
    with serving(answer) as server:
        await open_at(server, store).ask(ASKED)
        await open_at(server, store).ask(ASKED)
    assert len(server.asked) == 3


def _way(question: Question) -> str:
    if "tools" in question.body:
        return "tool"
    return question.body.get("response_format", {"type": "text"})["type"]
