"""Neighbours in one access: how wide, and under which condition."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.composer.nests.lowering import lowered
from agent.composer.nests.neighbours import packed_access
from agent.composer.nests.options import NestOptions
from agent.composer.nests.reading.following import follow
from agent.composer.nests.sizes import Axis, Size
from agent.composer.nests.writing import emit
from tools.tasks.task import Case, Task

ROWS, COLS = Axis(1, Size.of("rows")), Axis(2, Size.of("cols"))
SHAPE = (Size.of("rows"), Size.of("cols"))


def copied(bench: Any, expression: str, dtype: str = "float32") -> Task:
    body = f"def reference(x, b, rows, cols):\n    return {{'y': {expression}}}\n"
    arguments = (f"in x {dtype} rows, cols", f"in b {dtype} cols", f"out y {dtype} rows, cols")
    return bench.task(body, arguments, "rows cols")


def packed(task: Task) -> str:
    return emit(lowered(task, follow(task)), NestOptions.of(["vectorized_loads"]))


@pytest.mark.parametrize(
    ("column", "step", "aligned"),
    [
        (Size.of(COLS), 1, {"cols"}),
        (Size.of("cols") - 1 - Size.of(COLS), -1, {"cols"}),
        (Size.of(COLS) + 4, 1, {"cols"}),
        (Size.of(COLS) + Size.of("rows"), 1, {"cols", "rows"}),
    ],
)
def test_neighbours_lie_side_by_side_where_their_rows_begin_at_a_multiple(
    column: Size, step: int, aligned: set[str]
) -> None:
    found = packed_access((Size.of(ROWS), column), SHAPE, COLS, 4)
    assert found is not None
    assert (found.step, {size.expression() for size in found.aligned}) == (step, aligned)


@pytest.mark.parametrize("column", [Size.of(COLS) + 1, Size.of(COLS) * 2])
def test_what_is_never_aligned_or_lies_apart_is_no_pack(column: Size) -> None:
    assert packed_access((Size.of(ROWS), column), SHAPE, COLS, 4) is None


def test_sixteen_bytes_move_where_all_is_aligned_and_one_element_where_it_is_not(bench: Any) -> None:
    assert "WIDTH = 4 if (cols) % 4 == 0 else 1" in packed(copied(bench, "x + b"))
    assert "WIDTH = 8 if (cols) % 8 == 0 else 1" in packed(copied(bench, "x + b", "float16"))
    assert "WIDTH = 2 if (cols) % 2 == 0 else 1" in packed(copied(bench, "x + b", "float64"))


def test_what_is_left_of_an_array_goes_element_by_element(bench: Any) -> None:
    task = copied(bench, "x * 2")
    text = packed(task)
    assert "//@ define WIDTH = 4\n" in text
    for cols in (1, 3, 9):
        bench.check(task, text, {"rows": 5, "cols": cols}, lambda x, b, rows, cols: {"y": x * 2})


def test_halves_that_are_joined_are_computed_each_by_itself(bench: Any) -> None:
    body = (
        "import numpy as np\n\ndef reference(x, t, rows, n):\n    first, second = x[:, :n], x[:, n:]\n"
        "    c = np.cos(t)[None, :]\n"
        "    return {'y': np.concatenate([first * c - second, second * c + first], axis=1)}\n"
    )
    arguments = ("in x float32 rows, 2 * n", "in t float32 n", "out y float32 rows, 2 * n")
    task = replace(bench.task(body, arguments, "rows n"), benches=(Case({"rows": 4096, "n": 64}),))
    text = packed(task)
    assert "cosf" in text[: text.index("nest_2(")]
    assert "cosf" not in text[text.index("nest_2(") :]
    assert "?" not in text[text.index("nest_2(") :]

    def reference(x: Any, t: Any, rows: int, n: int) -> dict[str, Any]:
        first, second, c = x[:, :n], x[:, n:], np.cos(t)[None, :]
        return {"y": np.concatenate([first * c - second, second * c + first], axis=1)}

    for n in (4, 5):
        bench.check(task, text, {"rows": 3, "n": n}, reference)
