"""Syntax trees of Python text: what tasks say in expressions and in references."""

from __future__ import annotations

import ast
import threading
from typing import Literal, overload

_ONE_AT_A_TIME = threading.RLock()
"""CPython 3.11 counts its recursion for all threads together while it builds a tree: where a collection of garbage
lets another thread build one meanwhile, right text ends in `SystemError: AST constructor recursion depth mismatch`
(https://github.com/python/cpython/issues/106905, mended in 3.12)."""


@overload
def syntax_tree(text: str, filename: str = ..., mode: Literal["exec"] = ...) -> ast.Module: ...
@overload
def syntax_tree(text: str, filename: str = ..., *, mode: Literal["eval"]) -> ast.Expression: ...
def syntax_tree(text: str, filename: str = "<unknown>", mode: Literal["exec", "eval"] = "exec") -> ast.AST:
    """Parse Python text; safe in any thread.

    Args:
        text: A module, or an expression.
        filename: What a SyntaxError names.
        mode: `exec` for a module, `eval` for an expression.

    Raises:
        SyntaxError: It is not Python.
        ValueError: It holds a null character.
        RecursionError: It is nested too deeply.
        MemoryError: Likewise, by the parser's own limit.
    """
    with _ONE_AT_A_TIME:
        return ast.parse(text, filename, mode)
