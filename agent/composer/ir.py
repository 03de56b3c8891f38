"""What a reference computes, as a small tree of frozen nodes.

Trees are compared and hashed by value, so equal subexpressions are one key; the reader bounds size and depth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from agent.composer.value import value


@value
class Node:
    """Base of every node; knows how large and how deep the tree below it is."""

    size: int = field(init=False, repr=False, compare=False, default=1)
    depth: int = field(init=False, repr=False, compare=False, default=1)

    def __post_init__(self) -> None:
        below = self.children
        object.__setattr__(self, "size", 1 + sum(child.size for child in below))
        object.__setattr__(self, "depth", 1 + max((child.depth for child in below), default=0))

    @property
    def children(self) -> tuple[Node, ...]:
        """The nodes right below this one, in order."""
        return ()


@value
class Literal(Node):
    """A number; an int stays one, because NumPy keeps integer arrays integer beside it."""

    value: int | float


@value
class Dim(Node):
    """A size: an expression in dims."""

    text: str


@value
class Leaf(Node):
    """A task argument. `shape` is set by the shape pass and may hold added axes of extent "1"."""

    name: str
    shape: tuple[str, ...] | None = None
    transposed: bool = False


@value
class _OneOperand(Node):
    operand: Node

    @property
    def children(self) -> tuple[Node, ...]:
        """The operand."""
        return (self.operand,)


@value
class _TwoOperands(Node):
    left: Node
    right: Node

    @property
    def children(self) -> tuple[Node, ...]:
        """Left and right operand."""
        return (self.left, self.right)


@value
class Unary(_OneOperand):
    """A function of one value: neg, not, real (to floating point), exp, log, sqrt, tanh, abs, floor, ..."""

    op: str


@value
class Binary(_TwoOperands):
    """A function of two values: + - * / ** max min < <= > >= == != & |."""

    op: str


@value
class Where(Node):
    """`yes` where the condition holds, else `no`."""

    condition: Node
    yes: Node
    no: Node

    @property
    def children(self) -> tuple[Node, ...]:
        """Condition, yes, no."""
        return (self.condition, self.yes, self.no)


@value
class Reduce(_OneOperand):
    """sum, max, min or mean over one axis, or over everything where `axis` is None."""

    op: str
    axis: int | None
    keepdims: bool = False


@value
class Transpose(_OneOperand):
    """The axes in reverse order."""


@value
class Matmul(_TwoOperands):
    """`left @ right`."""


@value
class Expand(_OneOperand):
    """`x[:, None]` and the like: one entry per resulting axis, True for a new one."""

    new: tuple[bool, ...]


@value
class Flatten(_OneOperand):
    """All elements in one axis."""


@value
class One(_OneOperand):
    """A single value as an array of one element."""


@value
class Extent(_OneOperand):
    """Length along one axis, or number of elements where `axis` is None."""

    axis: int | None


def walk(node: Node) -> Iterator[Node]:
    """Yield the node and everything below it, operands before the node that uses them."""
    for child in node.children:
        yield from walk(child)
    yield node
