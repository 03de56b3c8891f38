"""Resources, prompts and completion, in both protocol modes, over a search by stand-ins."""

from __future__ import annotations

import json
import re

import pytest
from mcp import Client, MCPError
from mcp.types import (
    INVALID_PARAMS,
    PromptReference,
    ResourceTemplateReference,
    TextContent,
    TextResourceContents,
)

from agent.candidates import Candidate
from agent.home import Home
from agent.mcp.server import build_server
from agent.results import BestKernel, SearchResult
from agent.search.starting import start_search
from agent.store import Store
from tests.agent.search_fakes import FakeToolbox, ScriptedProposer, fenced, kernel
from tools.tasks import folder as task_folder

in_both_modes = pytest.mark.parametrize("mode", ["auto", "legacy"])
FAST = kernel("LATENCY 5.0 ``` fast")


@pytest.fixture
async def found(home: Home, request_of) -> SearchResult:
    proposer = ScriptedProposer(fenced(kernel("BROKEN | pipe")), fenced(FAST))
    return await start_search(
        request_of(candidates=2, depth=1), home=home, toolbox=FakeToolbox(), proposer=proposer
    )


def connect(home: Home, mode: str = "auto") -> Client:
    return Client(build_server(home, "auto"), mode=mode)


def named(one: BestKernel | Candidate) -> str:
    return f"{one.round}.{one.candidate}"


async def read(client: Client, uri: str) -> str:
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    return content.text


@in_both_modes
async def test_a_search_is_read_as_data_as_a_page_and_by_its_kernels(
    mode: str, home: Home, found: SearchResult
) -> None:
    assert found.best is not None
    async with connect(home, mode) as client:
        data = json.loads(await read(client, f"warpwright://runs/{found.run}/report.json"))
        assert [one["verdict"] for one in data["candidates"]] == ["compile_error", "pass"]
        page = await read(client, f"warpwright://runs/{found.run}/report.md")
        assert "5.00 us (estimated), 20.00x (estimated) over the baseline" in page
        assert "- baseline: 100.0 us (estimated)" in page
        assert "line 5" in page
        text = await read(client, f"warpwright://kernels/{found.best.sha[:8]}")
        assert text == await read(client, f"warpwright://kernels/{found.best.sha}")
        assert text in page
        uri = f"warpwright://runs/{found.run}/candidates/{named(found.best)}/profile.json"
        assert json.loads(await read(client, uri))["latency_us"] == 5.0
        listed = json.loads(await read(client, "warpwright://runs?limit=1"))
        assert [one["run"] for one in listed] == [found.run]
        answer = await client.call_tool("search_result", {"run": found.run})
        links = [one.uri for one in answer.content if one.type == "resource_link"]
        assert uri in links
        for link in links:
            assert await read(client, link)


@in_both_modes
async def test_tasks_and_features_are_listed_and_read(mode: str, home: Home, found: SearchResult) -> None:
    del found
    async with connect(home, mode) as client:
        listed = [one.uri for one in (await client.list_resources()).resources]
        assert {"warpwright://tasks/softmax", "warpwright://features/warp_shuffle_reduction"} <= set(listed)
        for uri in listed:
            assert await read(client, uri)
        softmax = task_folder.find("softmax")
        assert await read(client, "warpwright://tasks/softmax/reference.py") == softmax.reference
        assert await read(client, "warpwright://tasks/softmax/baseline.cu") == softmax.baseline
        templates = (await client.list_resource_templates()).resource_templates
        assert all(one.title and one.description and one.mime_type for one in templates)


@pytest.mark.parametrize(
    "uri",
    [
        "warpwright://tasks/no_such_task",
        "warpwright://tasks/..%2f..%2fetc",
        "warpwright://tasks/%2fetc%2fpasswd",
        "warpwright://tasks/../../etc/baseline.cu",
        "warpwright://kernels/../../x",
        "warpwright://kernels/deadbeef",
        "warpwright://kernels/de",
        "warpwright://kernels/*",
        "warpwright://runs/..%2f..%2fetc/report.json",
        "warpwright://runs/nothing/report.md",
        "warpwright://runs/nothing/candidates/1.1/profile.json",
        "warpwright://features/none",
        "file:///etc/passwd",
        f"warpwright://runs/{'x' * 100_000}/report.md",
    ],
    ids=lambda uri: uri[:40],
)
async def test_what_is_not_there_is_an_error_of_bounded_length(uri: str, home: Home) -> None:
    async with connect(home) as client:
        with pytest.raises(MCPError) as raised:
            await client.read_resource(uri)
    assert "root:" not in str(raised.value)
    assert str(home.root) not in str(raised.value)


async def test_a_candidate_without_a_profile_has_none_to_read(home: Home, found: SearchResult) -> None:
    async with connect(home) as client:
        with pytest.raises(MCPError, match="has no profile"):
            await client.read_resource(
                f"warpwright://runs/{found.run}/candidates/{named(found.candidates[0])}/profile.json"
            )


@in_both_modes
async def test_names_are_completed(mode: str, home: Home, found: SearchResult) -> None:
    assert found.best is not None
    async with connect(home, mode) as client:

        async def complete(uri: str, name: str, start: str, **chosen: str) -> list[str]:
            ref = ResourceTemplateReference(type="ref/resource", uri=uri)
            answer = await client.complete(ref, {"name": name, "value": start}, context_arguments=chosen)
            return answer.completion.values

        assert await complete("warpwright://tasks/{name}", "name", "so") == ["softmax", "sort"]
        assert await complete("warpwright://runs/{run}/report.md", "run", "twi") == [found.run]
        profile = "warpwright://runs/{run}/candidates/{candidate}/profile.json"
        assert await complete(profile, "candidate", "1.", run=found.run) == [*map(named, found.candidates)]
        assert await complete(profile, "candidate", "1.", run="nothing") == []
        start = found.best.sha[:6]
        assert await complete("warpwright://kernels/{sha}", "sha", start) == [found.best.sha]
        assert await complete("warpwright://kernels/{sha}", "sha", "%' OR 1=1") == []
        prompt = PromptReference(type="ref/prompt", name="optimize_kernel")
        answer = await client.complete(prompt, {"name": "task", "value": "matm"})
        assert answer.completion.values == ["matmul"]


@in_both_modes
async def test_a_prompt_without_what_it_needs_and_one_that_is_none_are_refused_by_name(
    mode: str, home: Home
) -> None:
    async with connect(home, mode) as client:
        for name, said in (("optimize_kernel", "'task'"), ("optimise", "Unknown prompt")):
            with pytest.raises(MCPError, match=said) as refused:
                await client.get_prompt(name, {})
            assert refused.value.error.code == INVALID_PARAMS


@in_both_modes
async def test_prompts_name_only_tools_that_exist(mode: str, home: Home) -> None:
    given = {
        "task": "softmax",
        "kernel": FAST,
        "request": "a $weird layer norm",
        "goal": "2x",
        "problem": "NaN",
    }
    async with connect(home, mode) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        prompts = (await client.list_prompts()).prompts
        assert [one.name for one in prompts] == [
            *("optimize_kernel", "repair_kernel", "explain_profile", "new_task"),
        ]
        for prompt in prompts:
            wanted = {one.name: given[one.name] for one in prompt.arguments or ()}
            (message,) = (await client.get_prompt(prompt.name, wanted)).messages
            assert isinstance(message.content, TextContent)
            text = message.content.text
            assert all(value in text for value in wanted.values()), prompt.name
            used = set(re.findall(r"`([a-z]+_[a-z]+)(?:\(|`)", text))
            assert used - {"no_such"} <= tools | {"job_status"}, prompt.name


@in_both_modes
async def test_techniques_are_listed_and_their_pages_read(mode: str, home: Home) -> None:
    async with connect(home, mode) as client:
        answer = await client.call_tool("list_features", {"kind": "matmul", "names": ["register_blocking"]})
        assert answer.structured_content is not None
        assert all("matmul" in one["applies_to"] for one in answer.structured_content["features"])
        assert "## Pitfalls" in answer.structured_content["pages"][0]["text"]
        for wrong, said in (({"kind": "x"}, "kinds are"), ({"names": ["../coder"]}, "there is no feature")):
            answer = await client.call_tool("list_features", wrong)
            assert answer.is_error
            assert said in str(answer.content)


async def test_another_tenants_kernels_are_not_found_by_hash(home: Home, found: SearchResult) -> None:
    assert found.best is not None
    assert Store(home).seen_by("").runs.kernels(found.best.sha)
    assert Store(home).seen_by("somebody").runs.kernels(found.best.sha) == []
