"""A search that asks the client's own model, over both eras of the protocol, without any key."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.types import CreateMessageRequestParams, CreateMessageResult, TextContent

from agent.home import Home
from agent.mcp.server import build_server
from agent.model_settings import CLIENT
from agent.models import client_model
from agent.models.answerer import ChatQuestion
from agent.models.client_model import ClientModel
from agent.proposer import ProposalError
from agent.results import SearchRequest
from agent.search.starting import start_search
from agent.store import Store
from agent.store.client_questions import ClientAnswer
from prompts import load_role
from sandbox.errors import UsageError
from tests.agent.mcp.calling import called, until
from tests.agent.search_fakes import FakeToolbox
from tests.agent.store.kept_home import reply
from tests.agent.store.test_store import NEW

GOOD = reply("  if (i < n) out[i] = x[i] + y[i];\n")
WRONG = reply("  if (i < n) out[i] = x[i] - y[i];\n")
in_both_modes = pytest.mark.parametrize("mode", ["auto", "legacy"])


def writes(asked: CreateMessageRequestParams) -> bool:
    """Whether a coder is asked."""
    return (asked.system_prompt or "").startswith(load_role("coder")[:200])


class ClientsModel:
    """Answers as a client's own model; the coder's first kernel is wrong."""

    def __init__(self) -> None:
        self.asked: list[CreateMessageRequestParams] = []

    async def __call__(
        self, context: ClientRequestContext, params: CreateMessageRequestParams
    ) -> CreateMessageResult:
        self.asked.append(params)
        text = "Loads wait." if not writes(params) else GOOD if len(params.messages) > 1 else WRONG
        return CreateMessageResult(
            role="assistant", content=TextContent(type="text", text=text), model="mine", stop_reason="endTurn"
        )


def connect(home: Path, mode: str, model: ClientsModel | None) -> Client:
    return Client(build_server(Home(home), "auto"), mode=mode, sampling_callback=model)


@in_both_modes
@pytest.mark.usefixtures("in_this_process")
async def test_a_search_with_the_clients_own_model_needs_no_key(
    mode: str, tmp_path: Path, quick: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    model = ClientsModel()
    async with connect(tmp_path, mode, model) as client:
        started = await called(client, "start_search", task=quick, model=CLIENT, candidates=1, depth=1)
        status = await until(client, started["run"], lambda one: one["state"] != "running")
        assert status["state"] == "completed", status
        outcome = await called(client, "search_result", run=started["run"])
    assert outcome["verdict"] == "pass"
    assert "out[i] = x[i] + y[i]" in outcome["best"]["kernel"]
    coder = [one for one in model.asked if writes(one)]
    assert [len(one.messages) for one in coder] == [1, 3], "what failed its first test came back"
    assert "Verdict: wrong_result" in coder[-1].messages[-1].content.text
    kept = Store(Home(tmp_path)).replies(started["run"]).exchanges(("coder",))
    assert [one.reply.model for one in kept] == [CLIENT, CLIENT]


@pytest.mark.usefixtures("in_this_process")
async def test_a_client_without_sampling_is_refused_and_cannot_answer_for_another(
    tmp_path: Path, quick: str
) -> None:
    async with connect(tmp_path, "auto", None) as mute, connect(tmp_path, "auto", ClientsModel()) as client:
        refused = await mute.call_tool("start_search", {"task": quick, "model": CLIENT})
        assert refused.is_error
        assert "this client offers no sampling" in refused.content[0].text
        run = (await called(client, "start_search", task=quick, model=CLIENT, candidates=1, depth=1))["run"]
        waits = await until(mute, run, lambda one: "offers sampling" in one["message"])
        assert waits["state"] == "running"
        assert (await until(client, run, lambda one: one["state"] != "running"))["state"] == "completed"


def asked(home: Home, limit_s: float) -> ClientModel:
    store = Store(home)
    return ClientModel(store.client_questions(store.create(NEW)), limit_s, 512)


async def test_an_answer_that_came_before_a_kill_is_found_by_the_same_question(home: Home) -> None:
    model = asked(home, 30)
    question = ChatQuestion((SystemMessage("Be brief."), HumanMessage("Why?")))
    waiting = asyncio.create_task(model.ask(question))
    while (left := model.questions.waiting()) is None:
        await asyncio.sleep(0.01)
    assert (left.system, [(turn.role, turn.text) for turn in left.turns]) == ("Be brief.", [("user", "Why?")])
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert model.questions.waiting() is None, "nobody is asked for what nobody waits for"
    again = asyncio.create_task(model.ask(question))
    while model.questions.waiting() is None:
        await asyncio.sleep(0.01)
    model.questions.answer(left.id, ClientAnswer("Because.", "length"))
    model.questions.answer(left.id, ClientAnswer("A second one."))
    assert (await again).text == "Because."
    found = await model.ask(question)
    assert (found.text, found.cut_off) == ("Because.", True)


async def test_where_no_client_answers_in_time_that_is_said(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_model, "_POLL_S", 0.01)
    with pytest.raises(ProposalError, match="it does while it calls search_status"):
        await asked(home, 0.05).ask(ChatQuestion((HumanMessage("Why?"),)))


async def test_a_budget_that_cannot_be_held_is_refused(home: Home, task_folder: Path) -> None:
    request = SearchRequest.model_validate(
        {"task": str(task_folder), "model": CLIENT, "budget": {"max_tokens": 1000}}
    )
    with pytest.raises(UsageError, match="--max-tokens cannot be held with the model 'client'"):
        await start_search(request, home=home, toolbox=FakeToolbox())
