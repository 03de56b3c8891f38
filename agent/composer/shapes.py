"""Gives every value a shape in dims and lowers the tree to what kernels are made of.

After lowering: leaves carry shapes; views, extents and means are gone; a matrix product has plain operands; a
product with a vector is a sum; a reduction has axis -1 (over each row) or None (over everything).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import replace

from agent.composer.ir import (
    Binary,
    Dim,
    Expand,
    Extent,
    Flatten,
    Leaf,
    Matmul,
    Node,
    One,
    Reduce,
    Transpose,
    Unary,
    Where,
    walk,
)
from sandbox.syntax_trees import syntax_tree

Shape = tuple[str, ...]
Lowered = tuple[Node, Shape]


class ShapeError(Exception):
    """The shapes do not fit, or fit in a way that no family of the composer covers."""


def normal(extent: str) -> str:
    """Write an extent in one way, so that equal texts mean equal extents."""
    try:
        return ast.unparse(syntax_tree(extent, mode="eval"))
    except (SyntaxError, ValueError) as error:
        raise ShapeError(f"the extent {extent!r} is not an expression") from error


def product(shape: Shape) -> str:
    """Number of elements, as an expression in dims."""
    extents = [extent for extent in shape if extent != "1"]
    if len(extents) < 2:
        return extents[0] if extents else "1"
    return normal(" * ".join(f"({extent})" for extent in extents))


def is_single(shape: Shape) -> bool:
    """Whether there is one element."""
    return all(extent == "1" for extent in shape)


def has_row_reduction(node: Node) -> bool:
    """Whether a reduction over the last axis is in the tree."""
    return any(isinstance(part, Reduce) and part.axis is not None for part in walk(node))


class Lowering:
    """Lowers trees of one task; remembers what it has lowered."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._shapes = {name: tuple(normal(extent) for extent in shape) for name, shape in shapes.items()}
        self._done: dict[Node, Lowered] = {}

    def lower(self, node: Node) -> Lowered:
        """Return the lowered node and its shape.

        Raises:
            ShapeError: Shapes do not fit or are not covered.
        """
        if node not in self._done:
            self._done[node] = self._lower(node)
        return self._done[node]

    def _lower(self, node: Node) -> Lowered:
        match node:
            case Leaf(name=name):
                return Leaf(name, self._shapes[name]), self._shapes[name]
            case Dim(text=text):
                return Dim(normal(text)), ()
            case Unary(operand=operand, op=op):
                value, shape = self.lower(operand)
                return Unary(value, op), shape
            case Binary(left=left, right=right, op=op):
                (a, b), shape = self._together(left, right)
                return Binary(a, b, op), shape
            case Where(condition=condition, yes=yes, no=no):
                (a, b, c), shape = self._together(condition, yes, no)
                return Where(a, b, c), shape
            case Reduce():
                return self._reduce(node)
            case Matmul(left=left, right=right):
                return self._matmul(self.lower(left), self.lower(right))
            case _:
                return self._view(node)

    def _view(self, node: Node) -> Lowered:
        match node:
            case Transpose(operand=operand):
                value, shape = self.lower(operand)
                if len(shape) > 2:
                    raise ShapeError("a transpose of more than two axes")
                return (_transposed(value, shape), shape[::-1]) if len(shape) == 2 else (value, shape)
            case Expand(operand=operand, new=new):
                return _expanded(*self.lower(operand), new)
            case Flatten(operand=operand):
                value, shape = self.lower(operand)
                flat = (product(shape),)
                return (value, shape) if len(shape) == 1 else (_reshaped(value, shape, flat), flat)
            case One(operand=operand):
                value, shape = self.lower(operand)
                if not is_single(shape):
                    raise ShapeError(f"an array of shape ({', '.join(shape)}) as a single element")
                return value, ("1",)
            case Extent(operand=operand, axis=axis):
                _, shape = self.lower(operand)
                if axis is not None and not -len(shape) <= axis < len(shape):
                    raise ShapeError(f"axis {axis} of an array with {len(shape)} axes")
                return Dim(product(shape) if axis is None else shape[axis]), ()
            case _:
                return node, ()

    def _together(self, *nodes: Node) -> tuple[tuple[Node, ...], Shape]:
        lowered = [self.lower(node) for node in nodes]
        shape: Shape = ()
        rank = max(len(own) for _, own in lowered)
        for value, own in lowered:
            if len(own) < rank and has_row_reduction(value):
                raise ShapeError("a row reduction without keepdims=True beside an array with more axes")
            shape = _broadcast(shape, own)
        return tuple(value for value, _ in lowered), shape

    def _reduce(self, node: Reduce) -> Lowered:
        value, shape = self.lower(node.operand)
        if not shape:
            raise ShapeError("a reduction of a single value")
        axis = node.axis
        if axis is not None and not -len(shape) <= axis < len(shape):
            raise ShapeError(f"a reduction over axis {axis} of an array with {len(shape)} axes")
        if axis is not None and axis % len(shape) != len(shape) - 1:
            raise ShapeError(f"a reduction over axis {axis}, which is not the last")
        over_all = axis is None or len(shape) == 1
        kept = ("1",) * len(shape) if over_all else (*shape[:-1], "1")
        gone = () if over_all else shape[:-1]
        result = kept if node.keepdims else gone
        reduced_axis = None if over_all else -1
        if node.op != "mean":
            return Reduce(value, node.op, reduced_axis, keepdims=True), result
        total = Reduce(Unary(value, "real"), "sum", reduced_axis, keepdims=True)
        return Binary(total, Dim(product(shape) if over_all else shape[-1]), "/"), result

    def _matmul(self, left: Lowered, right: Lowered) -> Lowered:
        (a, a_shape), (b, b_shape) = left, right
        if len(b_shape) == 1 and len(a_shape) in (1, 2):
            if a_shape[-1] != b_shape[0]:
                raise ShapeError(f"a product over {a_shape[-1]} and {b_shape[0]}")
            over_all = len(a_shape) == 1
            return Reduce(Binary(a, b, "*"), "sum", None if over_all else -1, keepdims=True), a_shape[:-1]
        if len(a_shape) != 2 or len(b_shape) != 2:
            raise ShapeError(f"a matrix product of {len(a_shape)} and {len(b_shape)} axes")
        if not isinstance(a, Leaf) or not isinstance(b, Leaf):
            raise ShapeError("a matrix product of something other than two inputs")
        if a_shape[1] != b_shape[0]:
            raise ShapeError(f"a matrix product over {a_shape[1]} and {b_shape[0]}")
        return Matmul(a, b), (a_shape[0], b_shape[1])


def _broadcast(left: Shape, right: Shape) -> Shape:
    rank = max(len(left), len(right))
    pairs = zip(padded(left, rank), padded(right, rank), strict=True)
    result: list[str] = []
    for a, b in pairs:
        if a != b and "1" not in (a, b):
            raise ShapeError(f"arrays of shapes ({', '.join(left)}) and ({', '.join(right)}) together")
        result.append(b if a == "1" else a)
    return tuple(result)


def padded(shape: Shape, rank: int) -> Shape:
    """Add axes of extent 1 in front."""
    return ("1",) * (rank - len(shape)) + shape


def _expanded(value: Node, shape: Shape, new: tuple[bool, ...]) -> Lowered:
    if new.count(False) > len(shape):
        raise ShapeError("more indices than axes")
    rest = iter(shape)
    result = tuple("1" if added else next(rest) for added in new) + tuple(rest)
    if has_row_reduction(value) and result != (*shape, "1") and result != shape:
        raise ShapeError("a row reduction along another axis than its own rows")
    return _reshaped(value, shape, result), result


def _reshaped(value: Node, before: Shape, after: Shape) -> Node:
    """Push a change of shape down to the leaves; row reductions are the same number in any shape."""
    match value:
        case Leaf(shape=shape) if shape == before:
            return replace(value, shape=after)
        case Leaf(shape=shape) if shape is not None and not is_single(shape):
            raise ShapeError("a view of values of several shapes")
        case Matmul():
            raise ShapeError("a view of a matrix product")
        case _:
            return _rebuilt(value, lambda child: _reshaped(child, before, after))


def _transposed(value: Node, before: Shape) -> Node:
    match value:
        case Leaf(shape=shape) if shape == before:
            return replace(value, shape=before[::-1], transposed=not value.transposed)
        case Leaf(shape=shape) if shape is not None and not is_single(shape):
            raise ShapeError("a transpose of values of several shapes")
        case Matmul() | Reduce():
            raise ShapeError("a transpose of a product or a reduction")
        case _:
            return _rebuilt(value, lambda child: _transposed(child, before))


def _rebuilt(value: Node, change: Callable[[Node], Node]) -> Node:
    match value:
        case Unary(operand=operand):
            return replace(value, operand=change(operand))
        case Binary(left=left, right=right):
            return replace(value, left=change(left), right=change(right))
        case Where(condition=condition, yes=yes, no=no):
            return Where(change(condition), change(yes), change(no))
        case _:
            return value
