"""Every argument of every tool, given what nobody should send: an error in words, and the server lives on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.types import TextContent

from agent.home import Home
from agent.mcp.server import build_server
from agent.supervisor.presence import supervisor_of

BIG = "x" * 10_000_000
HOSTILE: list[object] = [
    *(None, True, -1, 2**70, 1e308, float("nan"), [], {}, ["x"] * 1000, {"x": {"x": []}}),
    *(BIG, "", "\0", "../../etc/passwd", "/etc/passwd", "%2e%2e%2f", "~root", "'; DROP TABLE runs; --"),
    *("{{7*7}}", "$(id)", "__import__('os')", "a\nb", "\u202e", "job-", "*"),
]
USUAL: dict[str, object] = {
    "task": "no_such_task",
    "kernel": "no kernel",
    "kernels": {"a": "no kernel"},
    "changes": {"summary": "x"},
    "name": "new",
    "run": "no-such-run",
    "job": "job-nothing",
    "wait_s": 0,
}


def calls(name: str, schema: dict[str, Any]) -> Iterator[dict[str, object]]:
    usual = {key: USUAL[key] for key in schema.get("required", ())}
    if name == "start_search":
        usual["task"] = "no_such_task"
    for key in schema["properties"]:
        for value in HOSTILE:
            yield {**usual, key: value}
    yield {"no_such_argument": 1, "ctx": {}, "self": 1}


async def test_hostile_arguments_are_errors_in_words(tmp_path: Path) -> None:
    """Asked in turn in each mode of the protocol."""
    asked = 0
    server = build_server(Home(tmp_path), "auto")
    async with Client(server) as client, Client(server, mode="legacy") as older:
        for tool in (await client.list_tools()).tools:
            for arguments in calls(tool.name, tool.input_schema):
                answer = await (client, older)[asked % 2].call_tool(tool.name, arguments)
                text = "".join(one.text for one in answer.content if isinstance(one, TextContent))
                shown = (tool.name, str(arguments)[:200], text[:300])
                assert len(text) < 60_000, shown
                assert str(tmp_path) not in text, shown
                assert "root:x:" not in text, shown
                if answer.is_error:
                    assert text != f"Error executing tool {tool.name}", shown
                    assert len(text) < 6_000, shown
                asked += 1
        assert not (await client.call_tool("list_tasks", {})).is_error
        assert (await client.call_tool("list_searches", {})).structured_content == {"searches": []}
    assert asked > 500
    assert supervisor_of(Home(tmp_path)) is None
