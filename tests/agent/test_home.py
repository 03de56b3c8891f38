from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli.app import app
from agent.home import Home

NOWHERE = "/proc/no-home"


def test_a_home_that_can_be_written_is_made_and_has_no_obstacle(tmp_path: Path) -> None:
    assert Home(tmp_path / "a" / "b").problem() is None
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("command", [["runs"], ["serve"], ["doctor"], ["show", "x"]], ids=lambda one: one[0])
def test_a_home_that_cannot_be_written_is_one_line_from_every_command(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARPWRIGHT_HOME", NOWHERE)
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 3
    said = [line for line in found.output.splitlines() if "cannot be written" in line]
    assert len(said) == 1
    assert NOWHERE in said[0]
    assert "WARPWRIGHT_HOME" in said[0]
    assert "Traceback" not in found.output
