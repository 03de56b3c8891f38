"""Windows in shared memory: with channels and borders, in groups, and where they do not fit."""

from typing import Any

import numpy as np
import pytest

from agent.composer.nests.lowering import lowered
from agent.composer.nests.offering import features
from agent.composer.nests.options import NestOptions
from agent.composer.nests.reading.following import follow
from agent.composer.nests.writing import emit
from tools.tasks.task import Task

PLAIN = """import numpy as np

def reference(x, f, h, w, s, t):
    windows = np.lib.stride_tricks.sliding_window_view(x, (s, t))
    return {"y": np.einsum("ijkl,kl->ij", windows, f)}
"""
LAYER = """import numpy as np

def reference(x, f, b, n, c, o, h, w):
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))
    return {"y": np.maximum(np.einsum("nchwij,ocij->nohw", windows, f) + b[None, :, None, None], 0)}
"""


def in_shared_memory(task: Task) -> str:
    program = lowered(task, follow(task))
    assert "stencil_halo_tile" in features(program)
    return emit(program, NestOptions.of(["stencil_halo_tile"]))


def convolved(x: Any, f: Any, **_: int) -> dict[str, Any]:
    return {"y": np.einsum("ijkl,kl->ij", np.lib.stride_tricks.sliding_window_view(x, f.shape), f)}


@pytest.mark.parametrize(
    ("dtype", "sizes"),
    [("float32", (20, 70, 3, 5)), ("float32", (40, 30, 17, 9)), ("float64", (36, 50, 36, 50))],
)
def test_windows_of_any_size_are_convolved(bench: Any, dtype: str, sizes: tuple[int, ...]) -> None:
    arguments = (f"in x {dtype} h, w", f"in f {dtype} s, t", f"out y {dtype} h - s + 1, w - t + 1")
    task = bench.task(PLAIN, arguments, "h w s t")
    bench.check(task, in_shared_memory(task), dict(zip("hwst", sizes, strict=True)), convolved)


def test_a_layer_with_channels_borders_and_an_activation_is_one_kernel(bench: Any) -> None:
    arguments = (
        "in x float32 n, c, h, w",
        "in f float32 o, c, 3, 3",
        "in b float32 o",
        "out y float32 n, o, h, w",
    )
    task = bench.task(LAYER, arguments, "n c o h w")
    text = in_shared_memory(task)
    assert text.count("//@ launch") == 1

    def layer(x: Any, f: Any, b: Any, **_: int) -> dict[str, Any]:
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        return {"y": np.maximum(np.einsum("nchwij,ocij->nohw", windows, f) + b[None, :, None, None], 0)}

    bench.check(task, text, {"n": 2, "c": 3, "o": 2, "h": 18, "w": 66}, layer)
