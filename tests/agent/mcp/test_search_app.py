"""The search inside a chat: what hosts with MCP Apps get, and that the others get nothing else than before."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.extension import ClientExtension
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID

from agent.home import Home
from agent.mcp.search_app import URI, VIEW, comparison_view
from agent.mcp.server import build_server
from agent.report.reading import read_account
from agent.store import Store
from sandbox.verdict import Provenance, Verdict
from tests.agent.report.stored_search import search
from tests.agent.report.test_pages import HOSTILE, figures, harmless
from tools.mcp.benchmarks import CompareAnswer
from tools.mcp.benchmarks import Standing as Compared

BOUND = {"start_search", "search_status", "search_result", "compare_kernels"}
WORDS = HOSTILE.replace("\ud800", "")


class RendersViews(ClientExtension):
    identifier = EXTENSION_ID

    def __init__(self, *kinds: str) -> None:
        self.kinds = list(kinds)

    def settings(self) -> dict[str, Any]:
        return {"mimeTypes": self.kinds}


def client(home: Home, *kinds: str, mode: str = "auto") -> Client:
    extensions = [RendersViews(*kinds)] if kinds else []
    return Client(build_server(home, "auto"), extensions=extensions, mode=mode)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_tools_name_their_view_by_both_keys_and_the_list_stays_short(home: Home, mode: str) -> None:
    async with client(home, mode=mode) as plain:
        tools = (await plain.list_tools()).tools
    assert {tool.name for tool in tools if tool.meta} == BOUND
    for tool in tools:
        if tool.name in BOUND:
            assert tool.meta is not None
            assert tool.meta["ui"]["resourceUri"] == tool.meta["ui/resourceUri"] == URI
    listed = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    assert len(json.dumps(listed, separators=(",", ":"))) < 40_000


async def test_the_view_is_one_file_that_may_fetch_nothing(home: Home) -> None:
    async with client(home, APP_MIME_TYPE) as shown:
        (content,) = (await shown.read_resource(URI)).contents
        (listed,) = [one for one in (await shown.list_resources()).resources if one.uri == URI]
    assert content.mime_type == listed.mime_type == APP_MIME_TYPE
    assert listed.meta == {"ui": {"csp": {}, "prefersBorder": True}}
    text = str(getattr(content, "text", ""))
    assert len(text) < 40_000
    assert not re.search(r"(?:src|href|action)\s*=|url\(|@import|https?:|fetch\(|eval\(|import\(", text)
    assert text.count("<script>") == text.count("</script>") == 1


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_renders_views_gets_the_reports_parts_and_any_other_the_same_without(
    home: Home, task_folder: Path, mode: str
) -> None:
    run = search(Store(home), task_folder, 6, WORDS)
    for tool in ("search_status", "search_result"):
        answers: list[Any] = []
        for kinds in ((), ("text/html",), (APP_MIME_TYPE,)):
            async with client(home, *kinds, mode=mode) as asking:
                answers.append(await asking.call_tool(tool, {"run": run}))
        plain, other, shown = answers
        assert VIEW not in (plain.meta or {}) | (other.meta or {})
        assert shown.structured_content == plain.structured_content == other.structured_content
        assert [one.text for one in shown.content if one.type == "text"] == [
            one.text for one in plain.content if one.type == "text"
        ]
        html = shown.meta[VIEW]
        harmless(html)
        for heading in ("Latency over candidates", "Search tree", "Roofline"):
            assert heading in html
        known = {
            (value, provenance)
            for value, _, provenance in figures(read_account(Store(home), run).model_dump(mode="json"))
        }
        shown_figures = re.findall(r'<data value="([^"]+)">[^<]*<i>(\w+)</i></data>', html)
        assert shown_figures
        assert {(float(value), provenance) for value, provenance in shown_figures} <= known


async def test_a_failed_call_has_no_view(home: Home) -> None:
    async with client(home, APP_MIME_TYPE) as shown:
        answer = await shown.call_tool("search_status", {"run": "none"})
    assert answer.is_error
    assert VIEW not in (answer.meta or {})


def test_compared_kernels_stand_side_by_side_with_the_word_for_where_latencies_come_from() -> None:
    def standing(label: str, us: float | None) -> Compared:
        return Compared(
            label=label,
            verdict=Verdict.WRONG_RESULT if us is None else Verdict.PASS,
            message=WORDS,
            latency_us=us,
            provenance=Provenance.ESTIMATED,
            speedup=None if us is None else 20 / us,
            slower_than_best=None,
            bottleneck="dram",
            tune=[],
        )

    answer = CompareAnswer(
        verdict=Verdict.PASS,
        message="2 of 3 kernels are correct",
        task="twice",
        device="sim:h200",
        best="fast",
        standings=[standing("fast", 5.0), standing(WORDS, 10.0), standing("wrong", None)],
        next_step="",
    )
    html = comparison_view(answer)
    harmless(html)
    assert "<svg" in html
    assert re.findall(r'<data value="([^"]+)">', html) == ["5.0", "4.0", "10.0", "2.0"]
    assert "wrong result" in html
    nothing = comparison_view(answer.model_copy(update={"standings": [standing("wrong", None)]}))
    assert "<svg" not in nothing
