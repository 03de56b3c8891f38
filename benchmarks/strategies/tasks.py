"""The tasks that searches are compared on: all of families that the composer writes kernels for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.composer.space import Space
from tools.tasks.folder import load
from tools.tasks.task import Task

_ROWS = {"rows": 2048, "cols": 1024}
_LONG = {"n": 1 << 22}
_PRODUCT = {"m": 256, "n": 256, "k": 256}
_WINDOWS = "np.lib.stride_tricks.sliding_window_view(x, 16)"
_EXP = "np.exp(x - x.max(axis=1, keepdims=True))"


@dataclass(frozen=True)
class Asked:
    """A task in short: arguments as `ROLE NAME SHAPE`, all float32, and the reference as an expression."""

    arguments: tuple[str, ...]
    reference: str
    dims: Mapping[str, int]


TASKS: Mapping[str, Asked] = {
    "add": Asked(("in x n", "in y n", "out z n"), "{'z': x + y}", _LONG),
    "gelu": Asked(
        ("in x n", "out y n"), "{'y': 0.5 * x * (1 + np.tanh(0.79788456 * (x + 0.044715 * x**3)))}", _LONG
    ),
    "saxpy_relu": Asked(("in x n", "in y n", "out z n"), "{'z': np.maximum(2.5 * x + y, 0)}", _LONG),
    "transpose": Asked(("in x rows, cols", "out y cols, rows"), "{'y': x.T}", _ROWS),
    "transpose_twice": Asked(("in x rows, cols", "out y cols, rows"), "{'y': 2 * x.T}", _ROWS),
    "sum": Asked(("in x n", "out y 1"), "{'y': np.array([x.sum()])}", _LONG),
    "dot": Asked(("in x n", "in y n", "out z 1"), "{'z': np.array([(x * y).sum()])}", _LONG),
    "mse": Asked(("in x n", "in y n", "out z 1"), "{'z': np.array([((x - y) ** 2).mean()])}", _LONG),
    "product": Asked(("in a m, k", "in b k, n", "out c m, n"), "{'c': a @ b}", _PRODUCT),
    "row_sum": Asked(("in x rows, cols", "out y rows"), "{'y': x.sum(axis=1)}", _ROWS),
    "row_mean_square": Asked(("in x rows, cols", "out y rows"), "{'y': (x * x).mean(axis=1)}", _ROWS),
    "softmax": Asked(
        ("in x rows, cols", "out y rows, cols"), f"{{'y': {_EXP} / {_EXP}.sum(axis=1, keepdims=True)}}", _ROWS
    ),
    "permute": Asked(
        ("in x a, b, c", "out y c, a, b"), "{'y': x.transpose(2, 0, 1)}", {"a": 64, "b": 128, "c": 256}
    ),
    "reverse": Asked(("in x n", "out y n"), "{'y': x[::-1]}", _LONG),
    "outer_sum": Asked(
        ("in x m", "in y n", "out z m, n"), "{'z': x[:, None] + y[None, :]}", {"m": 2048, "n": 1024}
    ),
    "column_sum": Asked(("in x rows, cols", "out y cols"), "{'y': x.sum(axis=0)}", _ROWS),
    "window_max": Asked(("in x n", "out y n - 15"), f"{{'y': {_WINDOWS}.max(axis=-1)}}", {"n": 1 << 20}),
    "running_sum": Asked(("in x n", "out y n"), "{'y': np.cumsum(x)}", {"n": 1 << 18}),
    "distances": Asked(
        ("in a m, k", "in b n, k", "out d m, n"),
        "{'d': ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=-1)}",
        {"m": 512, "n": 512, "k": 64},
    ),
    "gram": Asked(("in x rows, cols", "out g cols, cols"), "{'g': x.T @ x}", {"rows": 256, "cols": 256}),
}
HELD_OUT = ("permute", "reverse", "outer_sum", "column_sum", "window_max", "running_sum", "distances", "gram")
"""Those that no constant of a strategy was chosen by."""


def write(name: str, folder: Path) -> Task:
    """Write a task's folder and load it; its baseline is the composer's kernel without any feature."""
    asked = TASKS[name]
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f'name = "{name}"', f'summary = "{name}."', f"dims = {json.dumps(list(asked.dims))}"]
    inputs: list[str] = []
    for text in asked.arguments:
        role, argument, shape = text.split(maxsplit=2)
        lines += [
            "[[args]]",
            f'name = "{argument}"',
            f'role = "{role}"',
            'dtype = "float32"',
            f'shape = "{shape}"',
        ]
        if role == "in":
            lines.append('data = "normal(0, 1)"')
            inputs.append(argument)
    lines += ["[cost]", 'flops = "1"', 'bytes = "1"']
    small = {dim: 33 for dim in asked.dims}
    for kind, dims in (("test", small), ("bench", asked.dims)):
        lines += [
            f"[[{kind}]]",
            "dims = { " + ", ".join(f"{dim} = {size}" for dim, size in dims.items()) + " }",
        ]
    given = ", ".join([*inputs, *asked.dims])
    (folder / "task.toml").write_text("\n".join(lines) + "\n")
    (folder / "reference.py").write_text(
        f"import numpy as np\n\n\ndef reference({given}):\n    return {asked.reference}\n"
    )
    baseline = folder / "baseline.cu"
    baseline.write_text("//@ launch none<<<1, 1>>>()\n__global__ void none() {}\n")  # until it can be written
    baseline.write_text(Space(load(folder)).text(()))
    return load(folder)
