"""Libraries beside the suite's kernels on a GPU machine: what is asked, what an answer becomes, what is left out."""

from __future__ import annotations

import asyncio
import sys
from importlib.util import find_spec

import pytest

from benchmarks.gpu import library_part
from benchmarks.gpu.budget import Clock
from benchmarks.gpu.kernels import entries
from benchmarks.gpu.libraries import FORMULAS
from benchmarks.gpu.library_part import asked_of, at_kernelbench, time_libraries
from benchmarks.gpu.results import Kernel, LibraryTime, Results, markdown
from tools.tasks import folder as task_folder
from tools.tasks.suites import find_suite

ANSWERS = """\
import json, sys, time
for asked in json.load(sys.stdin)[:2]:
    shapes = [shape for _, _, shape in asked["arguments"]]
    print(json.dumps({"task": asked["task"], "dims": asked["dims"], "eager_us": float(shapes[0][0]), "compile_us": 7.5}))
    sys.stdout.flush()
"""


def clock(seconds: float) -> Clock:
    made = Clock(seconds)
    made.part(1.0)
    return made


def results() -> Results:
    return Results("cuda:0", "sim:h200", "as a test", "2026-11-30")


def asked(script: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.setattr(library_part, "COMMAND", (sys.executable, "-c", script))
    found = results()
    asyncio.run(time_libraries(clock(seconds), found, ("relu", "sort")))
    return found


def test_every_bundled_task_has_a_library_to_beat():
    assert set(FORMULAS) == set(task_folder.names())


def test_the_suites_sizes_and_kernelbenchs_are_asked_for():
    found = asked_of()
    own = [one for one in found if one.elsewhere_eager_us is None]
    assert {one.task for one in own} == {one.task for one in find_suite("fsr20").tasks}
    theirs = {one.task: one for one in found if one.elsewhere_eager_us is not None}
    assert len(theirs) == 10
    assert theirs["matmul"].dims == {"m": 4096, "n": 4096, "k": 4096}
    assert theirs["matmul"].elsewhere_compile_us == 2670
    assert [one.task for one in asked_of(("relu",))] == ["relu", "relu"]
    assert asked_of(("vector_add",)) == []


def test_a_baseline_and_the_best_kernel_are_timed_at_kernelbenchs_size_in_a_group_of_their_own():
    resized = at_kernelbench(entries(("matmul", "softmax")))
    assert [(one.group, one.variant) for one in resized] == [
        ("matmul (KernelBench)", "baseline"),
        ("matmul (KernelBench)", "best"),
    ]
    assert all(one.task.benches[0].dims["m"] == 4096 for one in resized)
    assert resized[0].task.sha != task_folder.find("matmul").sha


def test_answers_before_an_early_end_are_kept_and_the_rest_is_named(monkeypatch):
    found = asked(ANSWERS + "sys.exit('out of memory')\n", 60, monkeypatch)
    assert [(one.task, one.eager_us, one.compile_us, one.best_us) for one in found.libraries] == [
        ("relu", 16777216.0, 7.5, 7.5),
        ("sort", 512.0, 7.5, 7.5),
    ]
    assert found.skipped == ["libraries: out of memory: relu at n=1610612736"]


def test_a_part_ends_with_its_time(monkeypatch):
    found = asked(ANSWERS + "time.sleep(60)\n", 4, monkeypatch)
    assert len(found.libraries) == 2
    assert found.skipped == ["libraries: out of time: relu at n=1610612736"]


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed")
def test_without_torch_everything_is_left_out_and_says_why(monkeypatch):
    found = results()
    asyncio.run(time_libraries(clock(60), found, ("sort",)))
    assert found.libraries == []
    assert found.skipped == ["libraries: torch is not installed: sort at n=512"]


def test_a_library_stands_beside_our_best_kernel_of_the_same_size_and_what_others_published():
    found = results()
    found.kernels = [
        Kernel("relu", "baseline", verdict="pass", measured_us=40.0),
        Kernel("relu", "best", verdict="pass", measured_us=20.0),
        Kernel("relu", "wrong", verdict="wrong_result", measured_us=1.0),
        Kernel("relu (KernelBench)", "best", verdict="pass", measured_us=5000.0),
    ]
    found.libraries = [
        LibraryTime("relu", {"n": 16}, 30.0, 25.0),
        LibraryTime("relu", {"n": 64}, 4000.0, 4500.0, 4280.0, 4350.0),
        LibraryTime("sort", {"n": 8}, problem="RuntimeError: no"),
    ]
    rows = [line for line in markdown(found).splitlines() if line.startswith(("| relu | n=", "| sort | n="))]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [one[4:6] for one in cells] == [["20", "1.25"], ["5000", "0.8"], ["", ""]]
    assert cells[1][6:8] == ["4280", "4350"]
    assert cells[2][8] == "RuntimeError: no"
