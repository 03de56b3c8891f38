from __future__ import annotations

from dataclasses import replace

import pytest

from agent.strategies.traits import kind
from prompts import KINDS
from tools.tasks import folder
from tools.tasks.task import Task, TaskArgument


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vector_add", "elementwise"),
        ("sigmoid", "elementwise"),
        ("softmax", "row_reduction"),
        ("reduction", "reduction"),
        ("dot_product", "reduction"),
        ("transpose", "transpose"),
        ("matmul", "matmul"),
    ],
)
def test_the_bundled_tasks_are_of_their_kinds(name: str, expected: str):
    assert kind(folder.find(name)) == expected
    assert expected in KINDS


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("np.cumsum(x)", "scan"),
        ("np.sort(x)", "sort"),
        ("np.bincount(x)", "histogram"),
        ("np.convolve(x, [1, 2, 1], 'same')", "stencil"),
        ("np.sort(x).sum()", "sort"),
        ("x @ x.T", "matmul"),
    ],
)
def test_what_decides_most_names_the_kind(task: Task, expression: str, expected: str):
    reference = f"import numpy as np\ndef reference(x, n):\n    return {{'y': {expression}}}\n"
    assert kind(replace(task, reference=reference)) == expected


def test_a_product_that_ends_in_one_number_is_a_reduction(task: Task):
    one = (task.arguments[0], TaskArgument("y", "out", "float32", ("1",)))
    reference = "import numpy as np\ndef reference(x, n):\n    return {'y': np.array([x @ x])}\n"
    assert kind(replace(task, reference=reference, arguments=one)) == "reduction"
