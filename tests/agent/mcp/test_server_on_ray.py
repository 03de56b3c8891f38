"""A server whose kernels are judged on a real Ray, and the supervisor that does its searches there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from typer.testing import CliRunner

from agent.cli.app import app
from agent.home import Home
from agent.store import Store
from tests.agent.mcp.http_serving import environment, http_server
from tests.agent.quick_task import quick_task
from tools.cluster.cluster_link import ClusterLink, join, leave
from tools.cluster.desk_order import DeskFigures
from tools.cluster.ray_toolbox import RayToolbox

pytestmark = [
    pytest.mark.skipif(
        find_spec("ray") is None, reason="Ray is not installed: pip install 'warpwright[ray]'"
    ),
    pytest.mark.timeout(600),
]


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterLink]:
    """A cluster of two slots, which servers reach by its address and its token."""
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    found = join("local-ray", 2)
    yield found
    leave(found)


async def figures(cache: Path) -> DeskFigures:
    async with RayToolbox("local-ray", "sim:h200", cache=cache, tenant="tester") as toolbox:
        return await toolbox.figures()


async def call(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    return answer.structured_content or {}


async def test_kernels_and_searches_of_a_server_are_judged_on_its_cluster(link: ClusterLink, tmp_path: Path):
    home = Home(tmp_path / "home")
    folder = quick_task(home.tasks).rename(home.tasks / "small_add")
    toml = folder / "task.toml"
    toml.write_text(toml.read_text().replace('"vector_add"', '"small_add"'))
    token = {"RAY_AUTH_TOKEN_PATH": os.environ["RAY_AUTH_TOKEN_PATH"]}
    options = ("--device", "sim:h200", "--workers", link.address)
    with http_server(home.root, *options, also=token) as served:
        async with served.client() as client:
            before = await figures(tmp_path)
            baseline = (folder / "baseline.cu").read_text()
            for device in ("sim:h200", "sim:l4"):
                told = await call(
                    client, "test_kernel", task="small_add", kernel=f"{baseline}// {device}\n", device=device
                )
                assert told["verdict"] == "pass"
            judged = await figures(tmp_path)
            assert judged.answered == before.answered + 2
            run = (await call(client, "start_search", task="small_add", candidates=1, depth=1))["run"]
            status = await call(client, "search_status", run=run, wait_s=45)
            while status["state"] == "running":
                status = await call(client, "search_status", run=run, wait_s=45)
            assert (await call(client, "search_result", run=run))["verdict"] == "pass"
    assert (await figures(tmp_path)).answered > judged.answered
    assert Store(home).get_run(run).request.workers == link.address


def test_a_server_whose_cluster_is_not_there_says_so_in_one_line_and_does_not_begin(tmp_path: Path):
    """On its standard streams and over HTTP; both at once, for each waits some seconds for an answer."""
    command = [sys.executable, "-m", "warpwright", "serve", "--workers", "ray://127.0.0.1:1"]
    token = {"RAY_AUTH_TOKEN": "f" * 64}
    begun = [
        subprocess.Popen(
            [*command, *options], env={**environment(tmp_path), **token}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for options in ([], ["--http", "--port", "0"])
    ]  # fmt: skip
    for one in begun:
        said = one.communicate(timeout=120)[1]
        assert one.returncode in (2, 3)
        assert "127.0.0.1:1" in said
        assert "Traceback" not in said
        assert "listening on" not in said


@pytest.mark.parametrize("options", [[], ["--http", "--port", "0"]])
def test_a_server_whose_workers_are_none_says_what_they_may_be_and_does_not_begin(
    options: list[str], tmp_path: Path
):
    command = ["serve", *options, "--workers", "somewhere"]
    ended = CliRunner().invoke(app, command, env={"WARPWRIGHT_HOME": str(tmp_path)})
    assert ended.exit_code == 2
    assert "'somewhere' names no workers: local-ray, or a cluster" in ended.stderr
    assert "listening on" not in ended.stderr
