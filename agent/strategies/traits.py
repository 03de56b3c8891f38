"""What kind of task a task is: the context in which features earn credit."""

from __future__ import annotations

import ast

from sandbox.syntax_trees import syntax_tree
from tools.tasks.task import Task

_CALLS = {
    "cumsum": "scan", "cumprod": "scan", "accumulate": "scan",
    "sort": "sort", "argsort": "sort", "partition": "sort", "argpartition": "sort", "lexsort": "sort",
    "bincount": "histogram", "histogram": "histogram",
    "dot": "matmul", "matmul": "matmul", "einsum": "matmul", "tensordot": "matmul", "inner": "matmul",
    "convolve": "stencil", "correlate2d": "stencil", "convolve2d": "stencil", "sliding_window_view": "stencil",
    "transpose": "transpose", "swapaxes": "transpose", "moveaxis": "transpose",
    "sum": "reduction", "max": "reduction", "min": "reduction", "mean": "reduction", "var": "reduction",
    "std": "reduction", "prod": "reduction", "argmax": "reduction", "argmin": "reduction", "any": "reduction",
    "all": "reduction", "amax": "reduction", "amin": "reduction", "norm": "reduction", "vdot": "reduction",
}  # fmt: skip
_ORDER = ("matmul", "sort", "scan", "histogram", "stencil", "reduction", "transpose")
"""The trait that decides most comes first."""
ROWS = "row_reduction"
ELEMENTWISE = "elementwise"


def kind(task: Task) -> str:
    """Return the kind of a task by what its reference calls: one of the kinds that pages of features name."""
    tree = syntax_tree(task.reference)
    found = {trait for node in ast.walk(tree) if (trait := _trait(node)) is not None}
    first = next((trait for trait in _ORDER if trait in found), ELEMENTWISE)
    if first in {"matmul", "reduction"} and _single(task):
        return "reduction"
    return ROWS if first == "reduction" else first


def _trait(node: ast.AST) -> str | None:
    match node:
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return _CALLS.get(name)
        case ast.Attribute(attr="T"):
            return "transpose"
        case ast.BinOp(op=ast.MatMult()):
            return "matmul"
        case _:
            return None


def _single(task: Task) -> bool:
    """Whether every output is one element: what was reduced was reduced to the end."""
    outputs = [argument for argument in task.arguments if argument.role in ("out", "inout")]
    return all(set(argument.shape) <= {"1"} for argument in outputs)
