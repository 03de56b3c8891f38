"""Scans in one pass, over several chunks and over more chunks than one group has."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.composer.nests.lowering import lowered
from agent.composer.nests.options import NestOptions
from agent.composer.nests.reading.following import follow
from agent.composer.nests.writing import emit
from tools.tasks.task import Case, Task

CHUNK = 128 * 4


def running_sum(bench: Any, dtype: str = "float32", axis: str = "") -> Task:
    shape = "rows, n" if axis else "n"
    body = f"import numpy as np\n\ndef reference(x, {shape}):\n    return {{'y': np.cumsum(x{axis})}}\n"
    return bench.task(body, (f"in x {dtype} {shape}", f"out y {dtype} {shape}"), shape.replace(",", ""))


def one_pass(task: Task) -> str:
    return emit(lowered(task, follow(task)), NestOptions.of(["look_back_scan", "block_size_tuning"]))


@pytest.mark.parametrize("n", [1, CHUNK, 3 * CHUNK + 5])
def test_a_scan_goes_on_from_one_chunk_to_the_next(bench: Any, n: int) -> None:
    task = running_sum(bench)
    bench.check(task, one_pass(task), {"n": n}, lambda x, n: {"y": np.cumsum(x)}, {"BLOCK": 128})


def test_a_scan_goes_on_from_one_group_of_chunks_to_the_next(bench: Any) -> None:
    task = running_sum(bench, "int32")
    dims = {"n": 257 * CHUNK + 1}
    bench.check(task, one_pass(task), dims, lambda x, n: {"y": np.cumsum(x)}, {"BLOCK": 128})


def test_a_second_launch_takes_no_word_of_the_first_whatever_its_size(bench: Any) -> None:
    task, launch = running_sum(bench), "//@ launch nest<<<(1) * ceil_div(n, SCAN_CHUNK_Y), BLOCK>>>(x, y, n)"
    text = one_pass(task)
    assert launch in text
    shorter = launch.replace("(n, ", "(n - 600, ").replace("y, n)", "y, n - 600)")
    dims = {"n": 3 * CHUNK + 5}
    bench.check(
        task,
        text.replace(launch, f"{shorter}\n{launch}"),
        dims,
        lambda x, n: {"y": np.cumsum(x)},
        {"BLOCK": 128},
    )


def test_each_row_is_scanned_by_itself_whether_packs_are_aligned_or_not(bench: Any) -> None:
    task = replace(running_sum(bench, axis=", axis=1"), benches=(Case({"rows": 2, "n": 1 << 20}),))
    text = one_pass(task)
    assert "_Y = 4 if (n) % 4 == 0 else 1" in text
    for n in (CHUNK + 8, CHUNK + 9):
        dims = {"rows": 2, "n": n}
        bench.check(task, text, dims, lambda x, rows, n: {"y": np.cumsum(x, axis=1)}, {"BLOCK": 128})


def test_what_no_word_holds_is_scanned_in_tiles(bench: Any) -> None:
    task = running_sum(bench, "float64")
    assert "y_state" not in one_pass(task)
