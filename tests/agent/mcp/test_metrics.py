"""What a server over HTTP tells Prometheus, on real sockets."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from agent.cli.app import app
from tests.agent.mcp.http_serving import ask, http_server, own_run

Samples = dict[tuple[str, tuple[str, ...]], float]


def samples(url: str) -> Samples:
    """The value of each sample, by its name and the values of its labels in the order of their names; buckets are left out."""
    families = text_string_to_metric_families(httpx2.get(url).text)
    return {
        (one.name, tuple(value for _, value in sorted(one.labels.items()))): one.value
        for family in families
        for one in family.samples
        if "le" not in one.labels
    }


def call(url: str, tool: str, arguments: dict[str, str]) -> None:
    ask(url, None, "tools/call", {"name": tool, "arguments": arguments}, **{"mcp-name": tool})


def test_requests_are_counted_by_tool_and_outcome_and_runs_by_state(tmp_path: Path) -> None:
    own_run(tmp_path, "")
    with http_server(tmp_path, "--metrics", "127.0.0.1:0") as served:
        (line,) = [line for line in served.said if line.startswith("metrics at ")]
        url = line.split()[-1]
        ask(served.url, None)
        call(served.url, "list_tasks", {})
        call(served.url, "get_task", {"task": "none_such"})
        call(served.url, "made_up_1", {})
        ask(served.url, None, "made/up")
        told = samples(url)
        assert told["warpwright_requests_total", ("tools/list", "ok", "")] == 1
        assert told["warpwright_requests_total", ("tools/call", "ok", "list_tasks")] == 1
        assert told["warpwright_requests_total", ("tools/call", "tool_error", "get_task")] == 1
        assert told["warpwright_request_seconds_count", ("tools/call", "list_tasks")] == 1
        assert not [key for key in told if "made_up_1" in key[1] or "made/up" in key[1]]
        assert told["warpwright_runs", ("cancelled",)] == 1
        assert told["warpwright_store_up", ()] == 1
        assert told["process_resident_memory_bytes", ()] > 0


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    command = ["serve", "--http", "--port", "0", "--metrics", address]
    ended = CliRunner().invoke(app, command, env={"WARPWRIGHT_HOME": str(tmp_path)})
    assert ended.exit_code == 2
    assert "expected HOST:PORT or PORT" in ended.stderr
    assert "listening on" not in ended.stderr
