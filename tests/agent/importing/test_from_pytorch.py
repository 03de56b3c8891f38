"""Problems and modules in PyTorch: imported in one worker, then searched for, exported and judged again."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from agent.cli.app import app
from agent.cli.searching.modules_view import as_json, show_module
from agent.home import Home
from agent.importing.graphs.importer import Importer
from agent.importing.modules.module_origin import FILE, ModuleOrigin, read_origin
from agent.importing.modules.tasks import ModuleAsTask, module_call, task_of_module
from agent.importing.modules.verifying import ModuleVerdict, against_module
from agent.importing.problems.definitions import read_problem
from agent.importing.problems.flashinfer import ProblemAsTask, task_of_problem
from agent.importing.problems.origin import problem_files
from sandbox.errors import UsageError
from sandbox.isolation.choose import choose_isolation
from sandbox.reference.service import References
from sandbox.torch_graphs.service import TorchGraphs
from sandbox.verdict import Verdict
from tests.agent.export.published_problem import DEFINITION, WORKLOADS, write_problem
from tests.agent.importing.partly_composed import ODD
from tests.sandbox.simulator import in_process
from tools import local_toolbox
from tools.local_toolbox import LocalToolbox
from tools.parts import ToolboxParts
from tools.tasks.captured import pack
from tools.tasks.drafting import files_of

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs PyTorch: pip install 'warpwright[torch]'"
)

MODULE = f"""{ODD}

def get_inputs():
    return [torch.randn(16, 6)]


def raises(x):
    raise RuntimeError("not today")
"""
RMS = {
    "name": "rmsnorm_h8",
    "axes": {"batch": {"type": "var"}, "hidden": {"type": "const", "value": 8}, "two": {"type": "expr", "expression": "hidden / 4"}},
    "inputs": {
        "X": {"shape": ["batch", "hidden"], "dtype": "float32"},
        "weight": {"shape": ["hidden"], "dtype": "float32"},
        "unused": {"shape": ["two"], "dtype": "float32"},
        "eps": {"shape": None, "dtype": "float32"},
        "power": {"shape": None, "dtype": "int32"},
    },
    "outputs": {"Y": {"shape": ["batch", "hidden"], "dtype": "float32"}},
    "reference": (
        "import torch\n\n@torch.no_grad()\ndef run(X, weight, unused, eps, power):\n"
        "    return X * torch.rsqrt(X.pow(power).mean(-1, keepdim=True) + eps) * weight\n"
    ),
}  # fmt: skip


CAPTURED = """
[[captured]]
dims = {{ batch = 3, hidden = 8 }}
file = "seen.npz"
sha256 = "{}"
data = {{ eps = "constant(0.5)" }}
"""


def rms_workloads() -> list[dict[str, Any]]:
    numbers = {"eps": {"type": "scalar", "value": 1e-6}, "power": {"type": "scalar", "value": 2}}
    random = {name: {"type": "random"} for name in ("X", "weight", "unused")}
    return [
        {"uuid": f"w{batch}", "axes": {"batch": batch}, "inputs": {**random, **numbers}}
        for batch in (1, 5, 16, 33, 70, 200)
    ]


def changed(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    definition = copy.deepcopy(DEFINITION)
    change(definition)
    return definition


BROKEN = {
    "two outputs": changed(lambda one: one["outputs"].update(Z=one["outputs"]["Y"])),
    "another dtype": changed(lambda one: one["outputs"]["Y"].update(dtype="float16")),
    "a reference that is no Python": changed(
        lambda one: one.update(reference="def run(X, W):\n    return X W\n")
    ),
    "no run": changed(lambda one: one.update(reference="def other(X, W):\n    return X\n")),
}


@dataclass(frozen=True)
class Everything:
    folder: Path
    home: Home
    problem: ProblemAsTask
    module: ModuleAsTask
    right: ModuleVerdict
    wrong: ModuleVerdict
    faults: dict[str, str]


@pytest.fixture
def judged_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels are judged in this process."""

    def toolbox(device: str, *, cache: Path) -> LocalToolbox:
        return in_process.toolbox(in_process.frozen_once())

    monkeypatch.setattr(local_toolbox, "LocalToolbox", toolbox)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Everything:
    """All of it by one worker: PyTorch takes seconds to import."""
    folder = tmp_path_factory.mktemp("from_pytorch")
    home = Home(folder / "home")
    (folder / "mine.py").write_text(MODULE)
    return asyncio.run(_imported(folder, home))


async def _imported(folder: Path, home: Home) -> Everything:
    isolation, faults = choose_isolation(), dict[str, str]()
    problem = read_problem(write_problem(folder / "rms", RMS, rms_workloads()))
    async with TorchGraphs(isolation) as graphs, References(isolation) as references:
        importer = Importer(graphs, references)
        made = await task_of_problem(problem, "rms", importer)
        for name, definition in BROKEN.items():
            broken = read_problem(write_problem(folder / "broken", definition, WORKLOADS))
            with pytest.raises(UsageError) as raised:
                await task_of_problem(broken, "broken", importer)
            faults[name] = str(raised.value)
        call = module_call(folder / "mine.py", "Odd", None)
        module = await task_of_module(call, graphs, importer, home, "sim:h200")
        origin = module.origin
        other = origin.model_copy(
            update={"text": origin.text.replace("torch.relu", "torch.sigmoid"), "nodes": ("sigmoid",)}
        )
        right, wrong = [await held(module, one, graphs, home) for one in (origin, other)]
        for target in ("raises", "nothing"):
            call = module_call(folder / "mine.py", target, "float32[8]")
            with pytest.raises(UsageError) as raised:
                await task_of_module(call, graphs, importer, home, "sim:h200")
            faults[target] = str(raised.value)
    return Everything(folder, home, made, module, right, wrong, faults)


async def held(made: ModuleAsTask, origin: ModuleOrigin, graphs: TorchGraphs, home: Home) -> ModuleVerdict:
    """The baseline of a module's task beside the module, run in this process."""
    compiler, answers = in_process.Compiles(assembled=True), in_process.Answers()
    parts = ToolboxParts(compiler, answers, in_process.Simulator(), "none", 1)
    text = made.task.baseline
    return await against_module(made.task, origin, text, 5.0, parts=parts, graphs=graphs, home=home)


def test_a_definition_becomes_a_task_timed_at_workloads(imported: Everything) -> None:
    task, names = imported.problem.task, imported.problem.names
    assert [case.dims["batch"] for case in task.benches] == [1, 16, 33, 200]
    assert names.inputs == {"X": "x", "weight": "weight", "eps": "eps"}
    assert names.outputs == {"Y": "out"}
    assert names.axes == {"batch": "batch", "hidden": "hidden"}
    assert names.fixed == {"power": 2}
    assert "timed at 4 of 6 workloads" in imported.problem.notes
    assert "power is 2 in all workloads, and part of the task" in imported.problem.notes


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("two outputs", "broken/definition.json: outputs: expected as many as run returns (1), found 2"),
        ("another dtype", "outputs.Y.dtype: expected float32, which run returns, found float16"),
        (
            "a reference that is no Python",
            "broken/definition.json: reference line 2: running the file: SyntaxError",
        ),
        ("no run", "expected run, found D, N, other"),
        ("raises", "mine.py:20: exporting raises: RuntimeError: not today"),
        ("nothing", "expected nothing, found"),
    ],
)
def test_what_is_no_task_is_said_with_file_and_line(name: str, said: str, imported: Everything) -> None:
    assert said in imported.faults[name]


def test_the_round_trip_of_a_problem_ends_with_a_pass(
    imported: Everything, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judged_here: None
) -> None:
    monkeypatch.setenv("WARPWRIGHT_HOME", str(imported.home.root))
    made = imported.problem
    problem = read_problem(imported.folder / "rms")
    task = tmp_path / "rmsnorm_h8"
    task.mkdir()
    for name, text in {**files_of(made.task), **problem_files(problem, made.names)}.items():
        (task / name).write_text(text)
    data = pack({"x": np.full((3, 8), -2.5, np.float32), "weight": np.arange(8, dtype=np.float32)})
    (task / "seen.npz").write_bytes(data)
    with (task / "task.toml").open("a") as table:
        table.write(CAPTURED.format(hashlib.sha256(data).hexdigest()))

    def warpwright(*arguments: object) -> str:
        found = CliRunner().invoke(app, [str(one) for one in arguments])
        assert found.exit_code == 0, found.output
        return found.stdout

    searched = json.loads(
        warpwright("optimize", task, "--candidates", 1, "--depth", 1, "--seed", 1, "--json")
    )
    assert searched["verdict"] == "pass"
    package = tmp_path / "package"
    warpwright("export", searched["run"], "--to", "flashinfer-bench", "-o", package)
    again = warpwright("check", package / "kernels/kernel.cu", "--task", package / "task", "--json")
    assert json.loads(again)["verdict"] == "pass"
    assert "what was captured in seen.npz among them" in json.loads(again)["test"]["message"]
    traces = [json.loads(line) for line in (package / "traces.jsonl").read_text().splitlines()]
    judged = [one["workload"]["uuid"] for one in traces if one["evaluation"] is not None]
    assert judged == ["w1", "w16", "w33", "w200"]
    solution = json.loads((package / "solution.json").read_text())
    (main,) = [one["content"] for one in solution["sources"] if one["path"].endswith("main.py")]
    assert "def run(X, weight, unused, eps, power, Y):" in main
    assert "if power != 2:" in main


def test_the_part_of_a_module_that_a_kernel_can_replace_is_the_task(imported: Everything) -> None:
    module = imported.module
    assert module.task.name == "odd_part"
    assert (module.task.folder / FILE).is_file()
    assert read_origin(module.task.folder) == module.origin
    assert 0 < module.origin.share < 1
    assert any("2 of 5 of the operators of Odd: linear, relu" in note for note in module.notes), module.notes
    assert any("no kernel makes Odd more than" in note and "Amdahl" in note for note in module.notes)


def test_a_kernel_is_held_against_the_module_end_to_end(imported: Everything, capsys: Any) -> None:
    right, wrong = imported.right, imported.wrong
    assert right.report.verdict is Verdict.PASS
    assert as_json(right)["verdict"] == "pass"
    show_module(Console(width=400), right)
    assert "a part of" in (said := capsys.readouterr().out)
    assert "times at most (Amdahl) (estimated)" in said
    assert wrong.report.verdict is Verdict.WRONG_RESULT
