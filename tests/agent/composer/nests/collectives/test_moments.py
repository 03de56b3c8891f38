"""Sums over one long axis together, and the equations that they are the coefficients of."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.composer.nests.lowering import lowered
from agent.composer.nests.options import NestOptions
from agent.composer.nests.reading.following import follow
from agent.composer.nests.writing import emit
from tools.tasks.task import Case

FIT = """import numpy as np

def reference(x, y, n, d):
    return {"b": np.linalg.solve(x.T @ x, x.T @ y)}
"""


@pytest.mark.parametrize(("n", "d"), [(2, 1), (600, 4), (60, 17)])
def test_a_least_squares_fit_is_one_launch_that_reads_its_rows_once(bench: Any, n: int, d: int) -> None:
    arguments = ("in x float32 n, d", "in y float32 n", "out b float32 d")
    task = replace(bench.task(FIT, arguments, "n d"), benches=(Case({"n": 1 << 16, "d": 8}),))
    text = emit(lowered(task, follow(task)), NestOptions.of(["block_size_tuning"]))
    assert text.count("//@ launch") == 1

    def fitted(x: Any, y: Any, **_: int) -> dict[str, Any]:
        return {"b": np.linalg.solve(x.T @ x, x.T @ y)}

    bench.check(task, text, {"n": n, "d": d}, fitted, {"BLOCK": 128})


def test_one_long_sum_is_still_cut_into_pieces(bench: Any) -> None:
    source = "def reference(x, n):\n    return {'y': (x * x).sum(axis=0)}\n"
    task = bench.task(source, ("in x float32 n, 3", "out y float32 3"), "n")
    assert "_pieces" in emit(lowered(task, follow(task)), NestOptions())
