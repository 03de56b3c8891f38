"""Captured tensors become test data: all of them or their first elements, of a module or computed for a part of it."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.cli.searching.sources import SearchInput, search_source
from agent.home import Home
from agent.importing.graphs.importer import Importer
from agent.importing.modules.captured_inputs import CapturedInputs, names_a_file, read_inputs
from agent.importing.modules.capturing import FILE
from agent.importing.modules.tasks import ModuleAsTask, module_call, task_of_module
from agent.importing.modules.verifying import ModuleVerdict, against_module
from sandbox.errors import UsageError
from sandbox.isolation.choose import choose_isolation
from sandbox.reference.service import References
from sandbox.torch_graphs.graph import CapturedTensor
from sandbox.torch_graphs.service import TorchGraphs
from sandbox.verdict import Verdict
from tests.agent.importing.partly_composed import ODD
from tests.sandbox.simulator import in_process
from tools.parts import ToolboxParts
from tools.tasks.captured import captured_values
from tools.tasks.drafting import write_folder
from tools.tasks.folder import load

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs PyTorch: pip install 'warpwright[torch]'"
)
MODULE = f"""{ODD}

def scaled(x, weight, shift=1.0):
    return torch.relu(x) * weight + shift


def looked_up(ids, table):
    return table[ids] * 2.0
"""
rng = np.random.default_rng(5)
X = (rng.gamma(2, 3, (12, 20)) - 4).astype(np.float32)
WEIGHT = rng.normal(size=20).astype(np.float32)
LARGE = rng.normal(size=(1500, 900)).astype(np.float32)
ODD = rng.normal(size=(16, 6)).astype(np.float32)
UP = rng.normal(size=(8, 4)).astype(np.float32)
NAN = X.copy()
NAN[3, 4] = np.nan


def _torch_saved(path: Path, make: Callable[[Any], Any]) -> None:
    torch = importlib.import_module("torch")
    torch.save(make(torch), path)


def write_files(folder: Path) -> None:
    (folder / "mine.py").write_text(MODULE)
    np.savez(folder / "whole.npz", x=X, weight=WEIGHT)
    np.savez_compressed(folder / "large.npz", LARGE, LARGE[0])
    _torch_saved(folder / "odd.pt", lambda torch: {"x": torch.tensor(ODD), "up.weight": torch.tensor(UP)})
    _torch_saved(folder / "number.pt", lambda torch: [torch.tensor(X), torch.tensor(WEIGHT), 0.5])
    np.savez(
        folder / "ids.npz", ids=rng.integers(0, 41, 30), table=rng.normal(size=(64, 8)).astype(np.float32)
    )
    np.savez(folder / "nan.npz", x=NAN, weight=WEIGHT)
    np.savez(folder / "complex.npz", x=X.astype(np.complex64))
    np.savez(folder / "named.npz", x=X, wieght=WEIGHT)
    np.savez(folder / "missing.npz", weight=WEIGHT)
    np.savez(folder / "shape.npz", **{"x": ODD, "up.weight": UP[:3]})
    np.savez(folder / "objects.npz", x=np.array([{1: 2}], dtype=object))
    _torch_saved(folder / "words.pt", lambda torch: {"x": "a word"})
    (folder / "pickled.pt").write_bytes(pickle.dumps(Path("x")))
    (folder / "x.safetensors").write_bytes(b"{}")


FAULTS = {
    ("scaled", "nan.npz"): "nan.npz: expected numbers in `x`, found NaN in 1 places, the first at [3, 4]",
    ("scaled", "complex.npz"): "expected one of float16, ",
    ("scaled", "named.npz"): "expected inputs and parameters of scaled (x, weight, shift), found wieght",
    ("scaled", "missing.npz"): "expected an input x of scaled, found weight",
    ("Odd", "shape.npz"): "expected float32[8, 4] for up.weight, found float32[3, 4]",
    ("scaled", "objects.npz"): "expected tensors, as numpy.savez or torch.save writes them",
    ("scaled", "words.pt"): "expected tensors and numbers, found str for x",
    ("scaled", "pickled.pt"): "expected tensors, as numpy.savez or torch.save writes them",
    ("scaled", "x.safetensors"): "x.safetensors: expected tensors in a file of numpy.savez or numpy.save",
    ("scaled", "nowhere.npz"): "nowhere.npz: cannot be read",
}


@dataclass(frozen=True)
class MadeOfTensors:
    folder: Path
    made: dict[str, ModuleAsTask]
    verdicts: dict[str, ModuleVerdict]
    faults: dict[tuple[str, str], str]
    searched: str
    said: list[str]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> MadeOfTensors:
    """All of it by one worker: PyTorch takes seconds to import."""
    folder = tmp_path_factory.mktemp("captured")
    write_files(folder)
    return asyncio.run(_made(folder))


async def _made(folder: Path) -> MadeOfTensors:
    isolation, home = choose_isolation(), Home(folder / "home")
    made, faults, verdicts = (
        dict[str, ModuleAsTask](),
        dict[tuple[str, str], str](),
        dict[str, ModuleVerdict](),
    )
    async with TorchGraphs(isolation) as graphs, References(isolation) as references:
        importer = Importer(graphs, references)

        async def task(target: str, file: str) -> ModuleAsTask:
            captured = await read_inputs(folder / file, graphs)
            call = module_call(folder / "mine.py", target, captured)
            return await task_of_module(call, graphs, importer, home, "sim:h200", captured)

        for target, file in (
            ("scaled", "whole.npz"),
            ("scaled", "large.npz"),
            ("scaled", "number.pt"),
            ("Odd", "odd.pt"),
            ("looked_up", "ids.npz"),
        ):
            made[file] = await task(target, file)
        made["again"] = await task("scaled", "whole.npz")
        for file in ("whole.npz", "odd.pt"):
            verdicts[file] = await beside_the_module(made[file], graphs, home)
        for target, file in FAULTS:
            with pytest.raises(UsageError) as raised:
                await task(target, file)
            faults[target, file] = str(raised.value)
    said: list[str] = []
    asked = SearchInput(f"{folder / 'mine.py'}:scaled", (), str(folder / "whole.npz"), "sim:h200")
    source = await search_source(asked, home, said.append)
    return MadeOfTensors(folder, made, verdicts, faults, source.task, said)


async def beside_the_module(made: ModuleAsTask, graphs: TorchGraphs, home: Home) -> ModuleVerdict:
    compiler, answers = in_process.Compiles(assembled=True), in_process.Answers()
    parts = ToolboxParts(compiler, answers, in_process.Simulator(), "none", 1)
    text = made.task.baseline
    return await against_module(made.task, made.origin, text, 5.0, parts=parts, graphs=graphs, home=home)


def data_of(made: ModuleAsTask) -> dict[str, np.ndarray[Any, Any]]:
    [case] = made.task.captured
    return dict(captured_values(made.task, case))


@needs_torch
def test_captured_tensors_are_a_case_of_the_task_beside_those_that_are_drawn(found: MadeOfTensors) -> None:
    made = found.made["whole.npz"]
    data = data_of(made)
    assert np.array_equal(data["x"], X)
    assert np.array_equal(data["weight"], WEIGHT)
    assert len(made.task.tests) > 3
    assert sorted(made.task.captured[0].dims.values()) == [12, 20]
    assert made.task.captured[0].data == {}
    assert any("judged on weight, x as captured in" in note and "all of it" in note for note in made.notes)
    assert (made.task.folder / FILE).is_file()


@needs_torch
def test_the_same_tensors_are_the_same_task(found: MadeOfTensors) -> None:
    assert found.made["again"].task == found.made["whole.npz"].task


@needs_torch
def test_the_command_takes_the_file_and_says_what_it_is_for(found: MadeOfTensors) -> None:
    assert found.searched == str(found.made["whole.npz"].task.folder)
    assert any("every kernel is judged on weight, x as captured in" in line for line in found.said)


@needs_torch
def test_a_kernel_is_held_against_the_module_on_the_captured_tensors(found: MadeOfTensors) -> None:
    for verdict in found.verdicts.values():
        assert verdict.report.verdict is Verdict.PASS
        assert "what was captured in captured.npz among them" in verdict.report.message


@needs_torch
def test_of_too_many_elements_the_first_along_every_axis_are_taken(found: MadeOfTensors) -> None:
    made = found.made["large.npz"]
    data = data_of(made)
    rows, columns = data["x"].shape
    assert 0 < rows * columns < LARGE.size / 2
    assert np.array_equal(data["x"], LARGE[:rows, :columns])
    assert np.array_equal(data["weight"], LARGE[0, :columns])
    assert any(
        "the first elements along every axis" in note and "takes too long" in note for note in made.notes
    )
    assert made.task.benches[0].dims.keys() == made.task.captured[0].dims.keys()
    assert sorted(made.task.benches[0].dims.values()) == [900, 1500]


@needs_torch
def test_numbers_are_captured_too(found: MadeOfTensors) -> None:
    assert data_of(found.made["number.pt"])["shift"] == np.float32(0.5)


@needs_torch
def test_for_a_part_of_a_module_what_enters_it_is_computed_from_the_tensors(found: MadeOfTensors) -> None:
    made = found.made["odd.pt"]
    assert made.task.name == "odd_part"
    data = data_of(made)
    power = np.abs(np.fft.rfft(ODD.astype(np.float64), axis=-1))[..., :4]
    [entering] = [array for name, array in data.items() if name != "up_weight"]
    assert np.allclose(entering, power, rtol=1e-6)
    assert np.array_equal(data["up_weight"], UP)
    assert set(made.task.captured[0].data) == {"up_bias"}
    assert any("computed from what was captured" in note for note in made.notes)
    assert any("not captured, and drawn: up_bias" in note for note in made.notes)


@needs_torch
def test_what_captured_indices_point_into_keeps_its_size(found: MadeOfTensors) -> None:
    made = found.made["ids.npz"]
    assert data_of(made)["table"].shape == (64, 8)
    table = next(one for one in made.task.arguments if one.name == "table")
    assert table.shape[0] == "64"


@needs_torch
def test_a_task_is_kept_with_its_data_and_read_from_there(found: MadeOfTensors, tmp_path: Path) -> None:
    task = found.made["odd.pt"].task
    write_folder(task, tmp_path / "copy")
    copied = load(tmp_path / "copy")
    assert (copied.sha, copied.captured_files) == (task.sha, task.captured_files)


@needs_torch
@pytest.mark.parametrize("what", FAULTS, ids=str)
def test_what_is_wrong_with_a_file_is_said_in_one_message(
    what: tuple[str, str], found: MadeOfTensors
) -> None:
    assert FAULTS[what] in found.faults[what]


def test_generated_inputs_are_drawn_like_the_captured_ones() -> None:
    tensors = (
        CapturedTensor("normal", np.array([[-1.0, 3.0]], np.float32)),
        CapturedTensor("positive", np.array([0.5, np.inf, 2.5])),
        CapturedTensor("mask", np.array([0, -np.inf], np.float32)),
        CapturedTensor("ids", np.array([3, 40], np.int64)),
        CapturedTensor("flags", np.array([True, True])),
        CapturedTensor("number", np.array(1e-5), plain=True),
    )
    text = CapturedInputs("x.npz", tensors, named=True).examples
    compile(text, "examples", "exec")
    for part in (
        "'normal': torch.randn((1, 2, ), dtype=torch.float32) * 2.0 + 1.0",
        "'positive': torch.rand((3, ), dtype=torch.float64) * 2.0 + 0.5",
        "'mask': torch.full((2, ), 0.0, dtype=torch.float32)",
        "'ids': torch.randint(3, 41, (2, ), dtype=torch.int64)",
        "'flags': torch.full((2, ), True, dtype=torch.bool)",
        "'number': 1e-05",
    ):
        assert part in text


def test_example_inputs_in_short_are_no_file(tmp_path: Path) -> None:
    assert not names_a_file("float32[64,128], 1.5")
    assert not names_a_file("get_inputs")
    assert not names_a_file(None)
    assert names_a_file("somewhere/x.npz")
    (tmp_path / "odd name").touch()
    assert names_a_file(str(tmp_path / "odd name"))
