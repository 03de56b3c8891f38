"""Values as ones of another kind, and what is known of them without data."""

from __future__ import annotations

from agent.composer.expressions import Kind
from agent.composer.folding import unary
from agent.composer.ir import Binary, Literal, Node
from agent.composer.nests.points import kind_of


def literal(value: float, kind: Kind) -> Node:
    """A number as a value of a kind."""
    match kind:
        case Kind.BOOL:
            return Binary(Literal(int(bool(value))), Literal(0), "!=")
        case Kind.INTEGER:
            return Literal(int(value))
        case _:
            return Literal(float(value))


def plain_value(node: Node) -> bool | int | float | None:
    """The number that a value is; None where it depends on anything."""
    match node:
        case Literal(value=value):
            return value
        case Binary(op="!=", left=Literal(value=left), right=Literal(value=right)):
            return left != right
        case _:
            return None


def truth(node: Node) -> Node:
    """Whether a value is anything but 0; a literal where that is known."""
    known = plain_value(node)
    if known is not None:
        return Literal(int(bool(known)))
    return node if kind_of(node) is Kind.BOOL else Binary(node, Literal(0), "!=")


def untruth(node: Node) -> Node:
    """Whether a value is 0."""
    known = plain_value(node)
    return literal(not known, Kind.BOOL) if known is not None else unary("not", truth(node))


def as_kind(node: Node, kind: Kind) -> Node:
    """A value as one of another kind; real numbers lose their fraction."""
    if kind_of(node) is kind:
        return node
    if kind is Kind.BOOL:
        met = truth(node)
        return literal(met.value, Kind.BOOL) if isinstance(met, Literal) else met
    known = plain_value(node)
    if known is not None and (kind is Kind.REAL or isinstance(known, bool)):
        return literal(known, kind)
    return unary("real" if kind is Kind.REAL else "int", node)
