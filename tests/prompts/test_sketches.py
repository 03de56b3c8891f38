"""Every sketch of the feature library is a kernel file that compiles, and that is right on a task of its own."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import prompts
from sandbox.program import CompileRequest
from sandbox.verdict import Verdict
from tests.compiling import compiled
from tests.idioms.test_idioms import task
from tests.sandbox.simulator.in_process import Compiles, Simulator, toolbox
from tools.judge.freezing import store_frozen, uncalibrated
from tools.toolbox import TestOrder

TABLE = tomllib.loads((Path(__file__).parent / "sketches.toml").read_text())["sketch"]
PAGES = {page.name: page for page in prompts.features()}


def sketch(page: prompts.Feature) -> str:
    (found,) = re.findall(r"^```cuda\n(.*?)^```$", page.text, re.MULTILINE | re.DOTALL)
    return found


def test_every_page_has_a_sketch_and_every_sketch_a_task() -> None:
    assert [entry["name"] for entry in TABLE if entry["name"] not in PAGES] == []
    assert set(PAGES) - {entry["name"] for entry in TABLE} == set()


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry["name"])
async def test_a_sketch_is_right(entry: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "task").mkdir()
    judged = task({**entry, "kernel": sketch(PAGES[entry["name"]])}, tmp_path / "task")
    store_frozen(tmp_path, judged, Simulator.name, uncalibrated(judged))
    async with toolbox(tmp_path, Simulator(), Compiles(), seeds=1) as box:
        report = await box.do(TestOrder(judged, judged.baseline))
    assert report.verdict is Verdict.PASS, report.message


def test_a_sketch_compiles_for_the_oldest_architecture_that_its_page_names() -> None:
    for page in PAGES.values():
        oldest = max(int(page.architecture.removeprefix("sm_")), 75)
        text = re.sub(r"^//@ tune\s+(\w+) = (\w+).*$", r"#define \1 \2", sketch(page), flags=re.MULTILINE)
        text = re.sub(r"^//@ define (\w+) = .*$", r"#define \1 6", text, flags=re.MULTILINE)
        answer = compiled(CompileRequest(text, f"sm_{oldest}"), assembled=False)
        assert answer.program is not None, f"{page.name} for sm_{oldest}: {answer.log}"
