"""Orders: in one block and in runs that the grid merges, and the first elements alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.composer.nests.lowering import lowered
from agent.composer.nests.options import NestOptions
from agent.composer.nests.reading.following import follow
from agent.composer.nests.writing import emit
from tools.tasks.task import Case, Task

BLOCK = 128 * 8
SMALL = {"BLOCK": 128}


def ordered(bench: Any, result: str, arguments: tuple[str, ...], dims: str, **largest: int) -> Task:
    source = (
        f"import numpy as np\n\ndef reference(x, {', '.join(dims.split())}):\n    return {{'y': {result}}}\n"
    )
    return replace(bench.task(source, arguments, dims), benches=(Case(largest),))


def plain(task: Task) -> str:
    return emit(lowered(task, follow(task)), NestOptions.of(["block_size_tuning"]))


def test_more_than_a_block_holds_is_merged_and_equal_ones_stay_in_their_order(bench: Any) -> None:
    n = BLOCK + 70
    task = ordered(
        bench, "np.argsort(x, kind='stable')", ("in x int32 n", "out y int32 n"), "n", n=1 << 20
    )  # fmt: skip
    text = plain(task)
    assert text.count("//@ launch") == text.count("//@ launch cooperative") == 1
    bench.check(task, text, {"n": n}, lambda x, n: {"y": np.argsort(x, kind="stable")}, SMALL, 5)


@pytest.mark.parametrize("n", [1, 33])
def test_columns_are_put_in_order_from_the_other_end(bench: Any, n: int) -> None:
    arguments = ("in x float64 n, cols", "out y float64 n, cols")
    task = ordered(bench, "np.sort(x, axis=0)[::-1]", arguments, "n cols", n=1 << 16, cols=3)
    bench.check(task, plain(task), {"n": n, "cols": 3}, lambda x, n, cols: {"y": np.sort(x, axis=0)[::-1]})


@pytest.mark.parametrize(("n", "k"), [(1, 1), (1100, 5), (400, 300)])
def test_the_first_elements_are_found_without_an_order_of_all(bench: Any, n: int, k: int) -> None:
    arguments = ("in x float32 n", "out y int32 k")
    task = ordered(bench, "np.argsort(x, kind='stable')[::-1][:k]", arguments, "n k", n=1 << 14, k=64)
    text = plain(task)
    assert text.count("//@ launch") == 1
    assert "cooperative" not in text
    expected = lambda x, n, k: {"y": np.argsort(x, kind="stable")[::-1][:k]}  # noqa: E731
    bench.check(task, text, {"n": n, "k": k}, expected, SMALL)


def test_short_orders_are_ranks(bench: Any) -> None:
    arguments = ("in x float32 n", "out y float32 n")
    short, long = (ordered(bench, "np.sort(x)", arguments, "n", n=n) for n in (512, 1 << 20))
    assert "sort_warp" not in plain(short)
    assert "sort_warp" in plain(long)
    for task in (short, long):
        bench.check(task, plain(task), {"n": 70}, lambda x, n: {"y": np.sort(x)})
