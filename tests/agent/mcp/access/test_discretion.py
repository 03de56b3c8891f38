"""Over HTTP nobody learns where files lie on the server's machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcp import Client, MCPError

from agent.home import Home
from agent.mcp.access.discretion import Discretion
from agent.mcp.offer import Offer
from agent.mcp.server import build_server
from agent.results import RunState, Stop
from agent.store import Store
from tests.agent.mcp.http_serving import own_run

DISCREET = Offer(tells_paths=False)


async def told(home: Path, offer: Offer) -> str:
    run = own_run(home, "")
    Store(Home(home)).runs.end(
        run, RunState.FAILED, Stop.FAILED, seconds=0, error=f"mend {home}/tasks/x/baseline.cu"
    )
    async with Client(build_server(Home(home), "auto", offer=offer)) as client:
        status = await client.call_tool("search_status", {"run": run, "wait_s": 0})
        result = await client.call_tool("search_result", {"run": run})
        said = [status.model_dump_json(), result.model_dump_json()]
        with pytest.raises(MCPError) as error:
            await client.read_resource(f"warpwright://runs/{home}/report.json")
        return "".join([*said, str(error.value)])


async def test_folders_become_names_for_those_who_are_elsewhere(tmp_path: Path) -> None:
    assert str(tmp_path) in await told(tmp_path / "one", Offer())
    text = await told(tmp_path / "two", DISCREET)
    assert str(tmp_path) not in text
    assert "mend HOME/tasks/x/baseline.cu" in text


def test_the_deepest_folder_is_named_first(tmp_path: Path) -> None:
    discretion = Discretion(Home(Path.home() / "w"))
    assert discretion.without_paths(f"{Path.home()}/w/runs and {Path.home()}/x") == "HOME/runs and ~/x"
