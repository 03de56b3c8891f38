"""What hosts and registries read: the bundle, the plugin, the registry's entry, and the graph for Studio."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import warpwright
from agent.cli.app import app

ROOT = Path(__file__).parents[2]
VERSION = warpwright.__version__


def read(name: str) -> dict[str, Any]:
    return json.loads((ROOT / name).read_text())


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundle") / "dist" / "warpwright.mcpb"
    command = [sys.executable, ROOT / "bundle/build.py", target]
    subprocess.run(command, check=True, timeout=60)
    return target


def test_the_bundle_holds_what_its_manifest_starts_and_every_module(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        names = set(archive.namelist())
        manifest = json.loads(archive.read("manifest.json"))
    server = manifest["server"]
    assert (manifest["manifest_version"], server["type"]) == ("0.4", "uv")
    data = {"examples/tasks/softmax/task.toml", "examples/suites/fsr20.toml"}
    assert {server["entry_point"], "pyproject.toml"} | data <= names
    assert server["entry_point"] in server["mcp_config"]["args"]
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "agent").rglob("*.py")}
    assert modules <= names
    assert not any("__pycache__" in name or name.startswith(("/", "..")) for name in names)


def test_every_setting_of_the_bundle_is_asked_for_and_the_key_is_hidden() -> None:
    manifest = read("bundle/manifest.json")
    used = re.findall(r"\$\{user_config\.(\w+)\}", json.dumps(manifest["server"]))
    assert sorted(used) == sorted(manifest["user_config"]) == ["api_key", "base_url", "device", "model"]
    assert [name for name, field in manifest["user_config"].items() if field.get("sensitive")] == ["api_key"]


def test_the_bundles_server_answers_with_empty_settings(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path / "unpacked")
    settings = dict.fromkeys(read("bundle/manifest.json")["server"]["mcp_config"]["env"], "")
    finished = subprocess.run(
        [sys.executable, tmp_path / "unpacked/bundle/serve.py"],
        env={"PYTHONPATH": str(ROOT), "WARPWRIGHT_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr


def test_versions_and_names_agree_everywhere() -> None:
    registered, plugin = read("server.json"), read(".claude-plugin/plugin.json")
    versions = [registered["version"], registered["packages"][0]["version"], plugin["version"]]
    assert set(versions) | {read("bundle/manifest.json")["version"]} == {VERSION}
    assert f"<!-- mcp-name: {registered['name']} -->" in (ROOT / "README.md").read_text()
    assert f'io.modelcontextprotocol.server.name="{registered["name"]}"' in (ROOT / "Dockerfile").read_text()


def test_what_hosts_start_are_commands_that_exist() -> None:
    commands = {command.name for command in app.registered_commands}
    started = [read("server.json")["packages"][0]["packageArguments"][0]["value"]]
    started += [server["args"][-1] for server in read(".mcp.json")["mcpServers"].values()]
    assert set(started) == {"serve"} <= commands


def test_the_skill_names_only_tools_that_exist() -> None:
    text = (ROOT / "skills/fast-cuda-kernels/SKILL.md").read_text()
    _, front, body = text.split("---\n", 2)
    assert re.search(r"^name: fast-cuda-kernels$", front, re.M)
    assert re.search(r"^description: .{40,}$", front, re.M)
    goldens = [*(ROOT / "tests").glob("*/mcp/golden/*.json")]
    tools = {path.stem for path in goldens}
    assert set(re.findall(r"`(\w+_\w+)`", body)) <= tools


def test_the_graph_that_studio_opens_is_there() -> None:
    for reference in read("langgraph.json")["graphs"].values():
        path, _, name = reference.removeprefix("./").partition(":")
        module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        drawn = getattr(module, name)().compile().get_graph().draw_mermaid()
        assert "planner" in drawn
