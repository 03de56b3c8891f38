"""A home of its own for every test, and runs of the command in this process, judging included.

Commands that tests start as processes of their own have workers like everybody's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from agent.cli.app import app
from tests.sandbox.simulator import in_process
from tools import local_toolbox
from tools.local_toolbox import LocalToolbox

GOOD = """\
//@ tune BLOCK = 128 in 64, 128
//@ launch add<<<ceil_div(n, BLOCK), BLOCK>>>(x, y, out, n)
extern "C" __global__ void add(const float* x, const float* y, float* out, int n) {
    int i = blockIdx.x * BLOCK + threadIdx.x;
    if (i < n) out[i] = x[i] + y[i];
}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("WARPWRIGHT_HOME", str(folder))
    for key in ("OPENAI_API_KEY", "WARPWRIGHT_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(key, raising=False)
    return folder


@pytest.fixture(autouse=True)
def judged_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated H200 needs no worker; every other device is looked for as ever."""

    def toolbox(device: str, *, cache: Path) -> LocalToolbox:
        here = device in ("auto", in_process.Simulator.name)
        return in_process.toolbox(in_process.frozen_once()) if here else LocalToolbox(device, cache=cache)

    monkeypatch.setattr(local_toolbox, "LocalToolbox", toolbox)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.cu"
    path.write_text(GOOD)
    return path


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.cu"
    path.write_text(GOOD.replace("x[i] + y[i]", "x[i] - y[i]"))
    return path


@pytest.fixture
def warpwright() -> Callable[..., Result]:
    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="warpwright")

    return run


@pytest.fixture
def as_json(warpwright: Callable[..., Result]) -> Callable[..., tuple[int, Any]]:
    """Run a command with --json; standard output must then be one JSON value."""

    def run(*arguments: object) -> tuple[int, Any]:
        result = warpwright(*arguments, "--json")
        return result.exit_code, json.loads(result.stdout)

    return run
