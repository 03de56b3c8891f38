"""Whole numbers of dtypes in which arithmetic wraps around: what dtype a value has, and how it gets back into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.composer.expressions import WRAPPING, Kind
from agent.composer.ir import Binary, Literal, Node, Unary, Where
from agent.composer.nests.points import At, Fold, Ordered, kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHORT = {"i1": "int8", "i2": "int16", "u1": "uint8", "u2": "uint16", "u4": "uint32", "u8": "uint64"}
_STAYS_WITHIN = ("max", "min", "bitand", "bitor", "bitxor", ">>", "u>>")
_UNSIGNED = {">>": "u>>", "//": "u//", "%": "u%"}
"""What a 64-bit number without sign needs operations of its own for; its bits are those of one with a sign."""


def named(dtype: str) -> str:
    """The name of a dtype that wraps around, however it is written; empty for any other one."""
    bare = dtype.lstrip("<=|>")
    name = _SHORT.get(bare, bare)
    return name if name in WRAPPING else ""


def dtype_of(node: Node) -> str:
    """The dtype of a value, where arithmetic on it wraps around; empty for what does not, or has no dtype."""
    match node:
        case At(dtype=dtype):
            return dtype
        case Unary(op=op) if op in WRAPPING:
            return op
        case Unary(operand=operand, op="abs"):
            return dtype_of(operand)
        case Ordered(indices=True):
            return ""
        case Fold(body=body, op="max" | "min" | "ascending" | "descending"):
            return dtype_of(body)
        case Where(yes=yes, no=no):
            return together((yes, no))
        case Binary(left=left, right=right, op=op) if op in _STAYS_WITHIN:
            return together((left, right))
        case _:
            return ""


def together(nodes: Sequence[Node]) -> str:
    """The dtype that values have together, by NumPy's promotion; a plain number takes that of the others."""
    given = [node for node in nodes if not isinstance(node, Literal)]
    if not given or any(kind_of(node) is not Kind.INTEGER for node in given):
        return ""
    dtypes = [dtype_of(node) for node in given]
    return named(np.result_type(*dtypes).name) if all(dtypes) else ""


def put_into(dtype: str, node: Node) -> Node:
    """A whole number as one of this dtype; an empty one takes from it what dtype it has."""
    if dtype_of(node) == dtype or isinstance(node, Literal):
        return node
    return Unary(node, dtype or "int64")


def operation(op: str, left: Node, right: Node, plain: Node) -> Node:
    """A result of whole numbers as NumPy has it, given what comes of numbers without bounds."""
    dtype = together((left, right))
    if not dtype or kind_of(plain) is not Kind.INTEGER:
        return plain
    if dtype == "uint64" and op in _UNSIGNED:
        return put_into(dtype, Binary(left, right, _UNSIGNED[op]))
    return put_into(dtype, plain)


def has_its_sign(node: Node) -> bool:
    """Whether a value is the number that its 64 bits with a sign are: not so for a large one without."""
    match node:
        case Unary(operand=operand, op="uint64"):
            return has_its_sign(operand) if dtype_of(operand) == "uint64" else False
        case Binary(op="u>>", right=Literal(value=places)):
            return places >= 1
        case _:
            return dtype_of(node) != "uint64"
