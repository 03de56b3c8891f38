"""`install`: what clients read, with absolute paths, and nothing that was there is changed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from agent.cli.machine.install import ClientName, added, configuration, entry
from sandbox.errors import UsageError

Warpwright = Callable[..., Result]
ROOT = Path(__file__).parents[4]
COMMAND = Path("/path/to/venv/bin/warpwright")


def at(client: ClientName, home: Path, platform: str = "linux") -> Path:
    return configuration(client, home, home / "here", platform).path


@pytest.mark.parametrize(
    ("client", "example"),
    [("claude-desktop", "claude_desktop_config.json"), ("vscode", "vscode_mcp.json")],
)
def test_what_is_written_is_what_the_examples_show(client: str, example: str, tmp_path: Path) -> None:
    into = configuration(ClientName(client), tmp_path, tmp_path, "linux")
    written = added("", into, entry(COMMAND, typed=into.typed))
    assert written is not None
    assert json.loads(written) == json.loads((ROOT / "examples/clients" / example).read_text())


def test_each_client_has_its_place_on_each_platform(tmp_path: Path) -> None:
    desktop = ClientName.CLAUDE_DESKTOP
    assert at(desktop, tmp_path, "darwin") == (
        tmp_path / "Library/Application Support/Claude/claude_desktop_config.json"
    )
    assert at(desktop, tmp_path) == tmp_path / ".config/Claude/claude_desktop_config.json"
    assert at(ClientName.CLAUDE_CODE, tmp_path) == tmp_path / "here/.mcp.json"
    assert len({at(client, tmp_path) for client in ClientName}) == len(ClientName)


@pytest.mark.parametrize("client", list(ClientName))
def test_what_was_there_stays_and_nothing_is_added_twice(
    client: ClientName, warpwright: Warpwright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    into = configuration(client, tmp_path, tmp_path / "here", "linux")
    into.path.parent.mkdir(parents=True, exist_ok=True)
    toml = into.path.suffix == ".toml"
    into.path.write_text(
        '# mine\nmodel = "x"\n' if toml else json.dumps({"mine": 1, into.key: {"other": {}}})
    )
    monkeypatch.setattr("sys.platform", "linux")
    assert warpwright("install", client).exit_code == 0
    text = into.path.read_text()
    read = tomllib.loads(text) if toml else json.loads(text)
    server = read[into.key]["warpwright"]
    assert server["args"] == ["serve"]
    assert Path(server["command"]).is_absolute()
    assert read["model"] == "x" if toml else (read["mine"], read[into.key]["other"]) == (1, {})
    assert not toml or text.startswith("# mine\n")
    again = warpwright("install", client)
    assert (again.exit_code, into.path.read_text()) == (0, text)
    assert "already" in again.stdout


@pytest.mark.parametrize(
    "text", ["{ // comment\n}", "[]", '{"mcpServers": {"warpwright": {"command": "other"}}}']
)
def test_a_file_that_cannot_be_added_to_is_left_alone(text: str, tmp_path: Path) -> None:
    into = configuration(ClientName.CURSOR, tmp_path, tmp_path, "linux")
    with pytest.raises(UsageError, match="--print"):
        added(text, into, entry(COMMAND, typed=False))


def test_printing_writes_nothing(
    warpwright: Warpwright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    printed = warpwright("install", "codex", "--print")
    assert "[mcp_servers.warpwright]" in printed.stdout
    assert not (tmp_path / ".codex").exists()
