"""A small problem in the format of flashinfer-bench, and its task, without PyTorch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.importing.definitions import read_problem
from agent.importing.published import PublishedNames, problem_files
from tests.agent.export.exporting import array, small_task
from tools.tasks.task import Task

DEFINITION: dict[str, Any] = {
    "name": "add_d4",
    "op_type": "elementwise",
    "axes": {"N": {"type": "var"}, "D": {"type": "const", "value": 4}},
    "inputs": {
        "X": {"shape": ["N", "D"], "dtype": "float32"},
        "W": {"shape": ["N", "D"], "dtype": "float32"},
    },
    "outputs": {"Y": {"shape": ["N", "D"], "dtype": "float32"}},
    "reference": "import torch\n\ndef run(X, W):\n    return X + W\n",
}
WORKLOADS: list[dict[str, Any]] = [
    {
        "uuid": f"w{size}",
        "axes": {"N": size},
        "inputs": {"X": {"type": "random"}, "W": {"type": "random"}},
    }
    for size in (7, 250)
]
KERNEL = """\
//@ launch vector_add<<<ceil_div(n * d, 64), 64>>>(x, w, y, n * d)
extern "C" __global__ void vector_add(const float* x, const float* w, float* y, int count) {
    int i = blockIdx.x * 64 + threadIdx.x;
    if (i < count) y[i] = x[i] + w[i];
}
"""


def write_problem(folder: Path, definition: object = DEFINITION, workloads: object = WORKLOADS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "definition.json").write_text(json.dumps(definition, indent=2))
    lines = workloads if isinstance(workloads, list) else []
    (folder / "workload.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    return folder


def published_task(folder: Path) -> Task:
    """The task as an import leaves it, in a folder with the problem's files."""
    problem = read_problem(write_problem(folder))
    names = PublishedNames(inputs={"X": "x", "W": "w"}, outputs={"Y": "y"}, axes={"n": "N", "d": "D"})
    for name, text in problem_files(problem, names).items():
        (folder / name).write_text(text)
    task = small_task(
        [{"n": 7, "d": 4}, {"n": 250, "d": 4}],
        array("x", "in", "n", "d"),
        array("w", "in", "n", "d"),
        array("y", "out", "n", "d"),
    )
    return replace(task, folder=folder, name="add_d4")
