"""`python -m benchmarks.gpu.variants`: which kernels of a search are kept, under which names; and those of the tree."""

from __future__ import annotations

import asyncio
import math
import re

import pytest

from benchmarks.gpu import variants as command
from benchmarks.gpu.kernels import FOUND, entries
from benchmarks.gpu.variants import Variant, distinct, kept_file, named, spread
from tests.compiling import InProcess
from tools.kernel import file as kernel_file
from tools.stages.compiling import CompileStage
from tools.tasks import folder as task_folder

KEPT = sorted(FOUND.glob("*/*.cu"))


def test_the_fastest_is_kept_and_the_others_lie_far_apart():
    latencies = [10.0, 10.1, 10.2, 20.0, 40.0, 41.0]
    assert spread(latencies, others=2) == [0, 3, 5]
    assert spread(latencies, others=3) == [0, 2, 3, 5] or spread(latencies, others=3) == [0, 3, 4, 5]


def test_kernels_that_the_model_cannot_tell_apart_are_one_and_few_are_all_kept():
    assert spread([10.0, 10.0, 10.01]) == [0]
    assert spread([10.0, 11.0, 12.0]) == [0, 1, 2]
    assert spread([]) == []
    assert spread([10.0 * math.exp(index) for index in range(20)], others=5) != list(range(6))


def test_names_come_from_features_and_none_comes_twice():
    some = [Variant((features), "", 1.0, None) for features in (("b", "a"), ("b", "a"), ("a", "b"), ())]
    assert [name for name, _ in named(some)] == ["best", "a-b", "a-b-2", "plain"]


def test_a_kept_file_says_where_it_comes_from_and_that_its_numbers_are_estimates():
    text = kept_file(Variant(("a",), "//@ launch k<<<1, 1>>>()\n", 12.345, 2.0), "a command", "sim:h200")
    first, second, rest = text.split("\n", 2)
    assert first == "// Found by a command"
    assert re.fullmatch(
        r"// \d{4}-\d\d-\d\d, sim:h200: 12.35 us \(estimated\), 2 times as fast as the baseline \(estimated\)\.",
        second,
    )
    assert rest == "//@ launch k<<<1, 1>>>()\n"


def test_the_same_code_launched_the_same_way_is_kept_once_and_the_baseline_never():
    task = task_folder.find("relu")
    other = task.baseline.replace("256", "128")
    assert other != task.baseline
    texts = ["// Another word.\n" + task.baseline, other, "// And another.\n" + other]
    found = asyncio.run(
        distinct(task, [Variant((), text, 1.0, None) for text in texts], CompileStage(InProcess(), "sm_90"))
    )
    assert [one.text for one in found] == [other]


def test_an_unknown_task_is_named(tmp_path, capsys):
    assert command.main(["--task", "nonesuch", "--out", str(tmp_path)]) == 2
    assert "nonesuch" in capsys.readouterr().err


def test_every_task_with_kept_kernels_is_bundled_and_has_a_best_one_and_others():
    by_task = {path.parent.name: [one.stem for one in path.parent.glob("*.cu")] for path in KEPT}
    assert set(by_task) <= set(task_folder.names())
    assert len(by_task) >= 8
    assert all("best" in names and len(names) > 1 for names in by_task.values()), by_task


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_kept_kernel_says_how_it_was_found_and_is_set_to_what_was_chosen(path):
    lines = path.read_text().split("\n")
    assert lines[0].startswith(f"// Found by python -m benchmarks.gpu.variants --task {path.parent.name} ")
    assert "(estimated)" in lines[1]
    kernel_file.parse(path.read_text())


def test_kept_kernels_are_measured():
    names = {(entry.group, entry.variant) for entry in entries()}
    assert {(path.parent.name, path.stem) for path in KEPT} <= names
