"""What `--help` says is compared with files; WARPWRIGHT_UPDATE_GOLDEN=1 renews them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli.app import app

GOLDEN = Path(__file__).parent / "golden"
COMMANDS = [
    "",
    "optimize",
    "suite",
    "chat",
    "check",
    "init",
    "import-kernelbench",
    "import-flashinfer-bench",
    "profile",
    "tasks",
    "runs",
    "backup",
    "restore",
    "prune",
    "show",
    "report",
    "resume",
    "stats",
    "export",
    "adopt",
    "export-trajectories",
    "doctor",
    "install",
    "serve",
    "ui",
]
TOKEN_COMMANDS = ["token", "token add", "token list", "token remove"]


@pytest.mark.parametrize("command", COMMANDS + TOKEN_COMMANDS)
def test_help_reads_as_its_golden_file(command: str) -> None:
    result = CliRunner().invoke(
        app,
        [*command.split(), "--help"],
        prog_name="warpwright",
        env={"COLUMNS": "100", "TERMINAL_WIDTH": "100"},
        terminal_width=100,
    )
    assert result.exit_code == 0
    golden = GOLDEN / f"{command.replace(' ', '_') or 'warpwright'}.txt"
    if os.environ.get("WARPWRIGHT_UPDATE_GOLDEN"):
        golden.write_text(result.output)
    assert result.output == golden.read_text()


def test_every_command_has_a_golden_file() -> None:
    named = {command.name for command in app.registered_commands if not command.hidden}
    assert named == set(COMMANDS) - {""}


def test_help_loads_no_agent_framework_and_no_numpy() -> None:
    probe = (
        "import sys\n"
        "sys.argv = ['warpwright', '--help']\n"
        "from warpwright import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'langgraph', 'langchain_core', 'langchain_openai', 'mcp', 'numpy', 'openai', 'ray'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    command = [sys.executable, "-c", probe]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 0, finished.stderr


def test_the_options_defaults_are_those_of_a_request() -> None:
    import inspect

    from agent.cli.searching.search import optimize
    from agent.results import SearchRequest

    defaults = inspect.signature(optimize).parameters
    for name in ("device", "model", "base_url", "candidates", "depth", "seed"):
        assert defaults[name].default == SearchRequest.model_fields[name].default, name
