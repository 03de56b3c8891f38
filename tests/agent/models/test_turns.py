"""A coder that works in turns: tools before it hands in, slips that come back, and conversations that are resumed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from agent.home import Home
from agent.models.bench import OFFERED
from agent.models.turns import MOST_USES
from agent.results import RunState, SearchRequest, SearchResult
from agent.search.starting import resume_search, start_search
from agent.store import Store
from sandbox.verdict import Verdict
from tests.agent.model_server import Answer, ModelServer, Question, Raw, serving
from tests.agent.search_fakes import FakeToolbox, fenced, kernel
from tools.mcp.registration import judge_tools

GOOD = kernel("LATENCY 10")


@pytest.fixture(autouse=True)
def no_proxy_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def call(tool: str, **arguments: object) -> Raw:
    """Return an answer that calls a tool."""
    function = {"name": tool, "arguments": json.dumps(arguments)}
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c", "type": "function", "function": function}],
    }
    body = {"choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}]}
    return Raw(
        json.dumps({**body, "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}})
    )


class Script:
    """Answers coders in turn, others with prose."""

    def __init__(self, *answers: Answer) -> None:
        self._left: Iterator[Answer] = iter(answers)

    def __call__(self, question: Question) -> Answer:
        return next(self._left) if question.role == "coder" else "Loads wait."


async def search(
    server: ModelServer, home: Home, toolbox: FakeToolbox, request_of, depth: int = 1
) -> SearchResult:
    request: SearchRequest = request_of(model="m", base_url=server.url, depth=depth)
    return await start_search(request, home=home, toolbox=toolbox)


def answers_of(server: ModelServer) -> list[str]:
    """Return what tools answered, in the last question that was asked."""
    return [one["content"] for one in server.of("coder")[-1].body["messages"] if one["role"] == "tool"]


async def test_the_tools_offered_are_those_that_mcp_serves(home: Home, toolbox: FakeToolbox, request_of):
    from mcp.server import MCPServer
    from mcp.server.mcpserver.tools import Tool

    with serving(Script(fenced(GOOD))) as server:
        await search(server, home, toolbox, request_of)
        (asked,) = server.of("coder")
    reference = MCPServer[None]("reference", tools=list[Tool](judge_tools()))
    served = {tool.name: (tool.description, tool.input_schema) for tool in await reference.list_tools()}
    offered = {one["function"]["name"]: one["function"] for one in asked.body["tools"]}
    assert set(OFFERED) < set(offered)
    for name in OFFERED:
        assert (offered[name]["description"], offered[name]["parameters"]) == served[name]


async def test_a_coder_uses_tools_before_it_hands_in(home: Home, toolbox: FakeToolbox, request_of):
    broken, wrong = kernel("BROKEN"), kernel("WRONG")
    script = Script(
        call("compile_kernel", task="whatever", kernel=broken),
        call("test_kernel", task="twice", kernel=wrong),
        call("test_kernel", kernel=GOOD),
        call("profile_kernel", kernel=GOOD),
        call("device_info"),
        call("read_features", names=["loop_unrolling"]),
        call("make_coffee"),
        fenced(GOOD),
    )
    with serving(script) as server:
        result = await search(server, home, toolbox, request_of)
        compiled, wrong_answer, right, profiled, device, page, unknown = answers_of(server)
    assert compiled.startswith("**compile_error**")
    assert wrong_answer.startswith("**wrong_result**")
    assert right.startswith("**pass**")
    assert profiled.startswith("**pass**")
    assert "sim:fake" in device
    assert page.startswith("# loop_unrolling")
    assert "there is no tool 'make_coffee'; there are compile_kernel" in unknown
    assert result.candidates[0].verdict is Verdict.PASS


async def test_a_coder_reads_an_earlier_kernel_by_its_short_name(
    home: Home, toolbox: FakeToolbox, request_of
):
    def answer(question: Question) -> Answer:
        if question.role != "coder":
            return "Loads wait."
        roles = [one["role"] for one in question.body["messages"]]
        asked = question.body["messages"][1]["content"]
        if "round 1 candidate 1" not in asked or "tool" in roles:
            return fenced(kernel(f"LATENCY {40 - len(asked) % 7}"))
        name = asked.partition("round 1 candidate 1 ")[2].split()[0]
        return call("read_kernel", name=name)

    with serving(answer) as server:
        await search(server, home, toolbox, request_of, depth=2)
        (text,) = answers_of(server)
    assert "__global__ void twice" in text
    assert "Latency" in text


async def test_bad_arguments_are_an_answer_and_a_coder_that_never_ends_is_told_to_hand_in(
    home: Home, toolbox: FakeToolbox, request_of
):
    uses = [call("compile_kernel", kernel="") for _ in range(MOST_USES)]
    with serving(Script(*uses, fenced(GOOD))) as server:
        result = await search(server, home, toolbox, request_of)
        last = server.of("coder")[-1]
    assert "tools" not in last.body
    assert "hand in the kernel file now" in last.text
    assert "kernel" in answers_of(server)[0]
    assert result.candidates[0].verdict is Verdict.PASS


async def test_a_model_that_knows_no_tools_gets_its_failures_back_three_times(
    home: Home, toolbox: FakeToolbox, request_of
):
    slips = ["Use shared memory.", fenced(kernel("BROKEN")), fenced(kernel("WRONG")), fenced(GOOD)]
    script = Script(*slips)

    def answer(question: Question) -> Answer:
        return (
            Raw('{"error": "tools are not supported"}', 400) if "tools" in question.body else script(question)
        )

    with serving(answer) as server:
        result = await search(server, home, toolbox, request_of)
        turns = server.of("coder")
        refused, asked = (one for one in server.asked if one.role == "coder" and one.text == turns[0].text)
    assert [one.verdict for one in result.candidates] == [Verdict.PASS]
    assert len(turns) == 4
    assert "" != refused.key != asked.key != "", "what is asked in another way is another request"
    for turn, said in zip(turns[1:], ("No kernel could be read", "BROKEN", "expected 2.0"), strict=True):
        assert said in turn.text
    assert len(toolbox.checked) == 2, "the baseline and the candidate; what came back was tested alone"


async def test_a_conversation_that_was_killed_goes_on_where_it_was(
    home: Home, toolbox: FakeToolbox, request_of
):
    down = True

    def answer(question: Question) -> Answer:
        if question.role != "coder":
            return "Loads wait."
        turn = sum(one["role"] == "tool" for one in question.body["messages"])
        if turn == 2:
            return 503 if down else fenced(GOOD)
        return call("test_kernel", kernel=kernel(f"WRONG {turn}"))

    with serving(answer) as server:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("agent.models.endpoint.RETRIES", 0)
            with pytest.raises(Exception, match="warpwright resume"):
                await search(server, home, toolbox, request_of)
        down, before = False, len(server.of("coder"))
        (run,) = Store(home).list_runs()
        result = await resume_search(run.run, home=home, toolbox=toolbox)
        assert len(server.of("coder")) == before + 1, "what was answered is not asked again"
    assert Store(home).get_run(run.run).state is RunState.COMPLETED
    assert result.candidates[-1].verdict is Verdict.PASS
