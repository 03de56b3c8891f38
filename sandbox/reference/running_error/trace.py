"""Runs a reference over arrays that carry their error scale."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, ModuleType
from typing import Any, cast

import numpy as np

from sandbox.reference.running_error import folding, missing, movement, products, reductions, selection
from sandbox.reference.running_error.array import Traced, lift, narrow_input
from sandbox.reference.running_error.importing import importing
from sandbox.reference.running_error.namespace import as_complex, as_float, modules
from sandbox.reference.running_error.precision import Array, Precision, Untraceable, tracing
from sandbox.syntax_trees import syntax_tree

__all__ = ["FILE", "Trace", "Untraceable", "load", "trace"]

RULES = (folding, missing, movement, products, reductions, selection)
"""Modules that register rules when they are imported."""

FILE = "reference.py"
_CONVERSIONS = {"float": ("_traced_float", as_float), "complex": ("_traced_complex", as_complex)}


@dataclass(frozen=True)
class Trace:
    """One output: its values as the traced run computed them, and the scale of their error."""

    values: Array
    scale: Array


class _Conversions(ast.NodeTransformer):
    """`float(x)` must be a plain number in Python: calls go to functions that keep the scale."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in _CONVERSIONS:
            node.func.id = _CONVERSIONS[node.func.id][0]
        return node


def load(text: str, replaced: Mapping[str, ModuleType] | None = None, *, traced: bool = False) -> ModuleType:
    """Execute the text of a reference.py, and return it as a module.

    Args:
        text: The whole file.
        replaced: What it gets in the place of modules that it imports.
        traced: Give it modules that trace; `tracing` must be entered then.
    """
    module = ModuleType("reference")
    if traced:
        module.__dict__.update(dict(_CONVERSIONS.values()))
        replaced = modules()
    module.__dict__["__builtins__"] = builtins.__dict__ | {"__import__": importing(replaced or {})}
    # The one place where given code is executed: a reference is Python, and this process is confined for it.
    exec(_compiled(text, traced=traced), module.__dict__)
    return module


@lru_cache(16)
def _compiled(text: str, *, traced: bool) -> CodeType:
    tree = syntax_tree(text, FILE)
    if traced:
        tree = ast.fix_missing_locations(_Conversions().visit(tree))
    return compile(tree, FILE, "exec")


def trace(
    text: str, inputs: Mapping[str, Array], dims: Mapping[str, int], precision: Precision
) -> dict[str, Trace]:
    """Run a reference over traced inputs.

    Args:
        text: The whole of reference.py.
        inputs: In their own dtypes; scalars as 0-d arrays.
        dims: Values of the task's dims.
        precision: Of the outputs whose scale is wanted.

    Returns:
        Every output by name; meaningful scales for those of this precision.

    Raises:
        Untraceable: There is no rule for something that it does.
        Exception: Whatever else it raises when it meets arrays that are not NumPy's own.
    """
    with tracing(precision):
        function = load(text, traced=True).__dict__["reference"]
        returned: Any = function(**{name: _argument(array) for name, array in inputs.items()}, **dims)
        if not isinstance(returned, Mapping):
            raise Untraceable("it returns no dict")
        found = {name: lift(value) for name, value in cast("Mapping[str, Any]", returned).items()}
        return {name: _trace(value) for name, value in found.items()}


def _argument(array: Array) -> Any:
    if array.ndim == 0:
        return array.astype(np.float64).item() if array.dtype.kind not in "biu" else array.item()
    wide = array.copy() if array.dtype.kind in "biu" else array.astype(np.float64)
    return narrow_input(wide, array.dtype.name)


def _trace(value: Traced) -> Trace:
    return Trace(value.v, np.ascontiguousarray(value.scale()))
