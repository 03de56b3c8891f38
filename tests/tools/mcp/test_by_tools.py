"""Advice for clients: every command that an error of the library names is a tool's call."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.composer import Composer
from agent.home import Home
from agent.models.endpoint import open_endpoint
from agent.store import Store
from sandbox.errors import WarpwrightError
from tests.agent.search_fakes import write_task
from tools.mcp.by_tools import by_tools
from tools.tasks.folder import load


def of_a_run(folder: Path) -> object:
    return Store(Home(folder)).get_run("nope")


def of_the_composer(folder: Path) -> object:
    task = write_task(folder / "twice")
    (task / "reference.py").write_text("def reference(x, n):\n    return {'y': sorted(x)}\n")
    return Composer().space(load(task))


def of_pytorch(folder: Path) -> object:
    task = write_task(folder / "twice")
    reference = "from torch_operators import aten\ndef reference(x, n):\n    return {'y': aten('sinc', x)}\n"
    (task / "reference.py").write_text(reference)
    return Composer().space(load(task))


def of_a_model(folder: Path) -> object:
    return open_endpoint("some", None, {})


@pytest.mark.parametrize("fails", [of_a_run, of_the_composer, of_pytorch, of_a_model])
def test_no_error_that_a_client_reads_names_a_command(fails, tmp_path: Path) -> None:
    with pytest.raises(WarpwrightError) as raised:
        fails(tmp_path)
    said = by_tools(str(raised.value))
    assert said != str(raised.value)
    assert not re.search(r"warpwright [a-z]|--model\b", said)


def test_other_text_stays_as_it_is() -> None:
    assert by_tools("kernel.cu:1: expected warpwright") == "kernel.cu:1: expected warpwright"
