"""Extents of a task's arguments as polynomials."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from agent.composer.nests.arrays import NotExpressed
from agent.composer.nests.reading.whole_parts import replaced
from agent.composer.nests.sizes import Size
from sandbox.syntax_trees import syntax_tree


def size_of(text: str, dims: Mapping[str, Size]) -> Size:
    """An extent of the task as a polynomial in what its dims are taken for.

    Raises:
        NotExpressed: It is none.
    """
    return replaced(_size(syntax_tree(text, mode="eval").body), dims)


def _size(node: ast.expr) -> Size:
    match node:
        case ast.Constant(value=int(value)):
            return Size.of(value)
        case ast.Name(id=name):
            return Size.of(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_size(operand)
        case ast.BinOp(left=left, op=op, right=right):
            return _joined(op, _size(left), _size(right))
        case ast.Call(func=ast.Name(id="min" | "max" as op), args=[left, right]):
            return _size(left).extreme(op, _size(right))
        case ast.Call(func=ast.Name(id="ceil_div"), args=[left, right]):
            return (_size(left) + _size(right) - 1) // _size(right)
        case _:
            raise NotExpressed(f"the extent `{ast.unparse(node)}`")


def _joined(op: ast.operator, left: Size, right: Size) -> Size:
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.FloorDiv():
            return left // right
        case ast.Mod():
            return left % right
        case _:
            raise NotExpressed("an extent that is neither a sum, a product nor a whole division")
