"""Functions that are followed from text of our own: NumPy's that are others put together."""

from __future__ import annotations

import ast
from importlib import resources
from typing import Any

from agent.composer.nests.reading.calls import OwnFunction, defaults_of
from agent.composer.nests.reading.values import Namespace
from sandbox.syntax_trees import syntax_tree


def written_in_numpy(numpy: Namespace) -> dict[str, OwnFunction]:
    """The functions of `written_in_numpy.py` by name, with `numpy` for NumPy."""
    package = resources.files("agent.composer.nests.reading")
    module = syntax_tree(package.joinpath("written_in_numpy.py").read_text("utf-8"))
    scope: dict[str, Any] = {"np": numpy}
    found: dict[str, OwnFunction] = {}
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            defaults = {name: ast.literal_eval(part) for name, part in defaults_of(node.args).items()}
            found[node.name] = OwnFunction(node, node.body, defaults, scope, is_library=True)
    scope |= found
    return found
