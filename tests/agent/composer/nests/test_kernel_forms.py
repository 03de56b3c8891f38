"""What single features make of a kernel."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from agent.composer.nests.lowering import lowered
from agent.composer.nests.options import NestOptions
from agent.composer.nests.reading.following import follow
from agent.composer.nests.writing import emit
from tools.tasks.task import Case, Task


def made(
    bench: Any, body: str, arguments: tuple[str, ...], sizes: Mapping[str, int], *, whole: bool = False
) -> Task:
    """A task; its benchmark case has these sizes, and more where it is `whole`."""
    inputs = [text.split()[1] for text in arguments if not text.startswith("out")]
    reference = f"import numpy as np\n\ndef reference({', '.join([*inputs, *sizes])}):\n    {body}\n"
    dims = dict(sizes) if whole else {name: 64 * size for name, size in sizes.items()}
    return replace(bench.task(reference, arguments, " ".join(sizes)), benches=(Case(dims),))


def kernel(task: Task, *features: str) -> str:
    return emit(lowered(task, follow(task)), NestOptions.of(features))


def test_windows_that_overlap_are_read_once_and_right_where_groups_of_points_end(bench: Any) -> None:
    body = (
        "w = np.lib.stride_tricks.sliding_window_view(x, (3, 3))\n    return {'y': (w * k).sum(axis=(2, 3))}"
    )
    arguments = ("in x float32 h, w", "in k float32 3, 3", "out y float32 h - 2, w - 2")
    dims = {"h": 13, "w": 9}
    task = made(bench, body.replace("w = ", "v = ").replace("(w * k)", "(v * k)"), arguments, dims)
    text = kernel(task, "thread_coarsening")
    assert len(re.findall(r"= x\[", text)) == 2, "to fill a window, and to move it on"

    def reference(x: Any, k: Any, h: int, w: int) -> dict[str, Any]:
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3))
        return {"y": (windows * k).sum(axis=(2, 3))}

    bench.check(task, text, dims, reference)


def test_a_long_sum_takes_one_launch_where_the_last_block_ends_it(bench: Any) -> None:
    arguments = ("in x float32 n", "out y float32 1")
    task = made(
        bench, "return {'y': np.array([np.mean(x * x)])}", arguments, {"n": (1 << 14) + 3}, whole=True
    )
    text = kernel(task, "last_block_reduction", "vectorized_loads")
    assert text.count("//@ launch") == 1
    for n in (1, 67, (1 << 14) + 3):
        bench.check(task, text, {"n": n}, lambda x, n: {"y": np.array([np.mean(x * x)])})


def test_what_short_rows_reduce_is_folded_within_the_sum_over_many_rows(bench: Any) -> None:
    arguments = ("in x float32 rows, 3", "out y float32 1")
    body = "return {'y': np.array([np.mean(np.log(np.exp(x).sum(axis=1)))])}"
    task = made(bench, body, arguments, {"rows": 1 << 14}, whole=True)
    text = kernel(task)
    assert text.count("//@ launch") == 2
    bench.check(
        task, text, {"rows": 301}, lambda x, rows: {"y": np.array([np.mean(np.log(np.exp(x).sum(axis=1)))])}
    )


def test_lanes_of_a_histogram_count_apart_in_packs_with_a_tail(bench: Any) -> None:
    arguments = ("in x int32 n", "out y int32 16")
    task = made(bench, "return {'y': np.bincount(x, minlength=16)}", arguments, {"n": 103})
    text = kernel(task, "privatized_histogram", "vectorized_loads")
    assert "_COPIES = max(1, min(32," in text
    assert "_WIDTH = 4\n" in text

    def reference(x: Any, n: int) -> dict[str, Any]:
        return {"y": np.bincount(x.astype(int), minlength=16)}

    bench.check(task, text, {"n": 103}, reference, None, 16)


def test_points_that_are_few_are_shared_by_warps_where_that_is_asked_for(bench: Any) -> None:
    arguments = ("in x float32 n", "out y float32 n")
    task = made(bench, "return {'y': np.abs(x[:, None] - x).sum(axis=1)}", arguments, {"n": 64})
    assert "warp_sum" not in kernel(task)
    text = kernel(task, "warp_shuffle_reduction")
    assert "warp_sum" in text
    bench.check(task, text, {"n": 37}, lambda x, n: {"y": np.abs(x[:, None] - x).sum(axis=1)})
