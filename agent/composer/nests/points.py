"""What an array is at one point: nodes that load, count and fold, and their rewriting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field, replace

from agent.composer.expressions import WRAPPING, Kind
from agent.composer.folding import binary, unary
from agent.composer.ir import Binary, Literal, Node, Unary, Where
from agent.composer.nests.sizes import ZERO, Atom, Axis, Extreme, Quotient, Remainder, Size
from agent.composer.value import value


@value
class Number(Node):
    """A whole number that follows from dims and indices."""

    value: Size


Index = Size | Node
"""Where an array is read: counted, or itself read from an array."""


@value
class At(Node):
    """An element of a buffer.

    Attributes:
        indices: One for each axis of the buffer.
        guards: Conditions under which alone there is such an element; elsewhere it counts as 0.
        dtype: Of a whole number whose arithmetic wraps around; else empty.
    """

    buffer: str
    indices: tuple[Index, ...]
    kind: Kind
    guards: tuple[Node, ...] = ()
    dtype: str = field(default="", compare=False)


@value
class Fold(Node):
    """sum, max, min or prod of a value over some axes."""

    op: str
    axes: tuple[Axis, ...]
    body: Node

    @property
    def children(self) -> tuple[Node, ...]:
        """The body."""
        return (self.body,)


@value
class Ordered(Fold):
    """The element of a rank, in `ascending` or `descending` order along an axis.

    Attributes:
        indices: Whether what is wanted is where it stood; of equal elements the first comes first in ascending order.
        behind: How many axes of the stage stand behind the one that counts ranks.
    """

    indices: bool = False
    behind: int = 0


def number(value: Index | int) -> Node:
    """An index as a value."""
    if isinstance(value, Node):
        return value
    size = Size.of(value)
    return Literal(size.constant) if size.constant is not None else Number(size)


def kind_of(node: Node) -> Kind:
    """The kind of a value."""
    match node:
        case Literal(value=value):
            return Kind.REAL if isinstance(value, float) else Kind.INTEGER
        case Number():
            return Kind.INTEGER
        case At(kind=kind):
            return kind
        case Ordered(indices=True):
            return Kind.INTEGER
        case Fold(body=body, op=op):
            return max(kind_of(body), Kind.INTEGER) if op in ("sum", "prod") else kind_of(body)
        case Where(yes=yes, no=no):
            return max(kind_of(yes), kind_of(no))
        case Unary(op=op, operand=operand):
            return _unary_kind(op, kind_of(operand))
        case Binary(op=op, left=left, right=right):
            return _binary_kind(op, max(kind_of(left), kind_of(right)))
        case _:
            return Kind.REAL


def _unary_kind(op: str, kind: Kind) -> Kind:
    if op == "not":
        return Kind.BOOL
    if op in ("neg", "abs", "~"):
        return max(kind, Kind.INTEGER)
    return Kind.INTEGER if op in ("int", "int64", *WRAPPING) else Kind.REAL


def _binary_kind(op: str, kind: Kind) -> Kind:
    if op in ("<", "<=", ">", ">=", "==", "!=", "&", "|"):
        return Kind.BOOL
    return Kind.REAL if op in ("/", "**", "atan2", "fmod") else max(kind, Kind.INTEGER)


def plus(left: Index, right: Index) -> Index:
    """Add two indices."""
    if isinstance(left, Size) and isinstance(right, Size):
        return left + right
    return binary("+", number(left), number(right))


def times(left: Index, right: Index) -> Index:
    """Multiply two indices."""
    if isinstance(left, Size) and isinstance(right, Size):
        return left * right
    return binary("*", number(left), number(right))


def over(left: Index, right: Index) -> Index:
    """Divide one index by another, rounded down."""
    if isinstance(left, Size) and isinstance(right, Size):
        return left // right
    return binary("//", number(left), number(right))


def modulo(left: Index, right: Index) -> Index:
    """What a whole division leaves, never negative."""
    if isinstance(left, Size) and isinstance(right, Size):
        return left % right
    return binary("%", number(left), number(right))


def placed(node: Node, where: Mapping[Axis, Index]) -> Node:
    """The same value with axes replaced by indices."""
    known: dict[Node, Node] = {}

    def at(part: Node) -> Node:
        if part not in known:
            known[part] = changed(part)
        return known[part]

    def changed(part: Node) -> Node:
        match part:
            case Number(value=value):
                return number(moved(value, where))
            case At(indices=indices, guards=guards):
                new = tuple(moved(one, where) if isinstance(one, Size) else at(one) for one in indices)
                return replace(part, indices=new, guards=tuple(at(guard) for guard in guards))
            case Fold(axes=axes, body=body):
                fresh = tuple(replace(axis, extent=_extent(axis.extent, where)) for axis in axes)
                inner = dict(where) | {old: Size.of(new) for old, new in zip(axes, fresh, strict=True)}
                return replace(part, axes=fresh, body=placed(body, inner))
            case _:
                return rebuilt(part, at)

    return at(node)


def targeted(target: Iterable[Index], where: Mapping[Axis, Index]) -> tuple[Index, ...]:
    """The same indices with axes replaced."""
    return tuple(moved(one, where) if isinstance(one, Size) else placed(one, where) for one in target)


def _extent(extent: Size, where: Mapping[Axis, Index]) -> Size:
    found = moved(extent, where)
    assert isinstance(found, Size), "an extent is counted, never read"
    return found


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """The same operation on changed operands."""
    match node:
        case Unary(operand=operand, op=op):
            return unary(op, change(operand))
        case Binary(left=left, right=right, op=op):
            return binary(op, change(left), change(right))
        case Where(condition=condition, yes=yes, no=no):
            return chosen(change(condition), change(yes), change(no))
        case Fold(body=body):
            return replace(node, body=change(body))
        case At(indices=indices, guards=guards):
            new = tuple(one if isinstance(one, Size) else change(one) for one in indices)
            return replace(node, indices=new, guards=tuple(change(guard) for guard in guards))
        case _:
            return node


def moved(size: Size, where: Mapping[Axis, Index]) -> Index:
    """An index with axes replaced; a value read from memory where one of them is."""
    read = [axis for axis in size.axes() if not isinstance(where.get(axis, ZERO), Size)]
    if not read:

        def change(atom: Atom) -> Size | None:
            found = where.get(atom) if isinstance(atom, Axis) else None
            return found if isinstance(found, Size) else None

        return size.rebuilt(change)
    total: Node = Literal(0)
    for atoms, factor in size.terms:
        term: Index = Size.of(factor)
        for atom in atoms:
            term = times(
                term, where.get(atom, Size.of(atom)) if isinstance(atom, Axis) else _within(atom, where)
            )
        total = binary("+", total, number(term)) if total != Literal(0) else number(term)
    return total


def _within(atom: Atom, where: Mapping[Axis, Index]) -> Index:
    match atom:
        case Quotient(over=above, by=by):
            return over(moved(above, where), by)
        case Remainder(over=above, by=by):
            return modulo(moved(above, where), by)
        case Extreme(op=op, left=left, right=right):
            return binary(op, number(moved(left, where)), number(moved(right, where)))
        case _:
            return Size((((atom,), 1),))


def chosen(condition: Node, yes: Node, no: Node) -> Node:
    """`yes` where a condition holds, else `no`."""
    if isinstance(condition, Literal):
        return yes if condition.value else no
    return yes if yes == no else Where(condition, yes, no)


def both(left: Node, right: Node) -> Node:
    """Whether two conditions hold; a literal is none."""
    if isinstance(left, Literal):
        return right if left.value else left
    if isinstance(right, Literal):
        return left if right.value else right
    return Binary(left, right, "&")


def compared(op: str, left: Index, right: Index) -> Node:
    """A condition on indices, decided where it can be."""
    if isinstance(left, Size) and isinstance(right, Size):
        known = _decided(op, left - right)
        if known is not None:
            return Literal(int(known))
    return Binary(number(left), number(right), op)


def _decided(op: str, difference: Size) -> bool | None:
    low, high = _bounds(difference)
    match op:
        case ">=" if low is not None and low >= 0:
            return True
        case ">=" if high is not None and high < 0:
            return False
        case "<" if high is not None and high < 0:
            return True
        case "<" if low is not None and low >= 0:
            return False
        case "==" if not difference.terms:
            return True
        case _:
            return None


def _bounds(size: Size) -> tuple[int | None, int | None]:
    """The least and the largest value, where they are numbers; dims are at least 1."""
    least, most = Size(), Size()
    for atoms, factor in size.terms:
        low = high = Size.of(factor)
        for atom in atoms:
            if isinstance(atom, Axis):
                low, high = low * 0, high * (atom.extent - 1)
            elif isinstance(atom, str):
                low, high = low * Size.of(atom), high * Size.of(atom)
            else:
                return None, None
        least, most = (least + low, most + high) if factor > 0 else (least + high, most + low)
    return _floor(least), None if (top := _floor(-most)) is None else -top


def _floor(size: Size) -> int | None:
    """The least value of a sum of products of dims, all at least 1; None where it has none."""
    if any(factor < 0 for atoms, factor in size.terms if atoms):
        return size.constant
    return sum(factor for _, factor in size.terms)


def guarded(node: Node, condition: Node) -> Node:
    """The same value, read only where a condition holds."""
    if isinstance(condition, Literal):
        return node

    def change(part: Node) -> Node:
        again = rebuilt(part, change)
        return replace(again, guards=(*again.guards, condition)) if isinstance(again, At) else again

    return change(node)


def parts(node: Node) -> Iterator[Node]:
    """The node and everything in it, indices and guards too, each before what is in it."""
    ahead = [node]
    while ahead:
        part = ahead.pop()
        yield part
        ahead += reversed(part.children)
        if isinstance(part, At):
            ahead += reversed(part.guards)
            ahead += [one for one in reversed(part.indices) if isinstance(one, Node)]


def loads(node: Node) -> Iterator[At]:
    """Every element that a value reads."""
    return (part for part in parts(node) if isinstance(part, At))


def folds_in(node: Node) -> Iterator[Fold]:
    """Everything that a value reduces."""
    return (part for part in parts(node) if isinstance(part, Fold))


def axes_of(node: Node) -> set[Axis]:
    """The axes that a value depends on, but for those that it folds itself."""
    match node:
        case Number(value=value):
            return set(value.axes())
        case At(indices=indices, guards=guards):
            found = {axis for one in indices if isinstance(one, Size) for axis in one.axes()}
            return found.union(*(axes_of(one) for one in (*indices, *guards) if isinstance(one, Node)))
        case Fold(axes=axes, body=body):
            return axes_of(body) - set(axes)
        case _:
            return set[Axis]().union(*(axes_of(child) for child in node.children))
