"""Sizes and indices as polynomials in dims and axes, so that equal ones are equal objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache

from agent.composer.value import value


@value
class Axis:
    """An index that runs from 0 up to an extent; it is known by its number."""

    number: int
    extent: Size

    @property
    def name(self) -> str:
        """What it is called until a kernel names it."""
        return f"i{self.number}"


@value
class Quotient:
    """`over // by`, rounded down; `by` is positive."""

    over: Size
    by: Size


@value
class Remainder:
    """`over % by`, at least 0; `by` is positive."""

    over: Size
    by: Size


@value
class Extreme:
    """`max` or `min` of two."""

    op: str
    left: Size
    right: Size


Atom = str | Axis | Quotient | Remainder | Extreme
"""A dim by its name, an index, or what is no polynomial."""


@value
class Size:
    """A sum of products of atoms, each with a whole factor; terms are in one order."""

    terms: tuple[tuple[tuple[Atom, ...], int], ...] = ()

    @staticmethod
    def of(value: int | str | Axis | Size) -> Size:
        """Make one of a number, a dim's name or an axis."""
        if isinstance(value, Size):
            return value
        if isinstance(value, int):
            return Size((((), value),)) if value else Size()
        return Size((((value,), 1),))

    @property
    def constant(self) -> int | None:
        """The number that it is; None where it depends on anything."""
        if not self.terms:
            return 0
        atoms, factor = self.terms[0]
        return factor if len(self.terms) == 1 and not atoms else None

    @cached_property
    def atoms(self) -> frozenset[Atom]:
        """Every dim and axis in it, those within quotients too."""
        return frozenset(_atoms(self))

    def axes(self) -> Iterator[Axis]:
        """The axes that it depends on."""
        return (atom for atom in self.atoms if isinstance(atom, Axis))

    def __add__(self, other: Size | int) -> Size:
        added = Size.of(other)
        if not (self.terms and added.terms):
            return added if added.terms else self
        total: Counter[tuple[Atom, ...]] = Counter(dict(self.terms))
        for atoms, factor in added.terms:
            total[atoms] += factor
        return _made(total)

    def __neg__(self) -> Size:
        return Size(tuple((atoms, -factor) for atoms, factor in self.terms))

    def __sub__(self, other: Size | int) -> Size:
        return self + -Size.of(other)

    def __mul__(self, other: Size | int) -> Size:
        by = Size.of(other)
        if (times := by.constant) is not None:
            return Size(tuple((atoms, factor * times) for atoms, factor in self.terms)) if times else ZERO
        total: Counter[tuple[Atom, ...]] = Counter()
        for atoms, factor in self.terms:
            for more, times in by.terms:
                total[tuple(sorted((*atoms, *more), key=_order))] += factor * times
        return _made(total)

    def __floordiv__(self, other: Size | int) -> Size:
        by = Size.of(other)
        whole, rest = _divided(self, by)
        if not rest.terms or _is_below(rest, by):
            return whole
        if by.constant is not None:
            number = dict(rest.terms).get((), 0)
            whole, rest = whole + number // by.constant, rest + (number % by.constant - number)
            if not rest.terms or _is_below(rest, by):
                return whole
        return whole + Size((((Quotient(rest, by),), 1),))

    def __mod__(self, other: Size | int) -> Size:
        by = Size.of(other)
        _, rest = _divided(self, by)
        if by.constant is not None:
            number = dict(rest.terms).get((), 0)
            rest += number % by.constant - number
        if not rest.terms or _is_below(rest, by):
            return rest
        return Size((((Remainder(rest, by),), 1),))

    def extreme(self, op: str, other: Size) -> Size:
        """The larger or the smaller of the two."""
        difference = (self - other).constant
        if difference is not None:
            return self if (difference >= 0) == (op == "max") else other
        return Size((((Extreme(op, self, other),), 1),))

    def rebuilt(self, change: Callable[[Atom], Size | None]) -> Size:
        """The same with some dims or axes replaced; `change` gives None for what stays."""
        total = Size()
        for atoms, factor in self.terms:
            product = Size.of(factor)
            for atom in atoms:
                product *= _rebuilt(atom, change)
            total += product
        return total

    def text(self, name: Callable[[Atom], str], divide: str = "//") -> str:
        """Write it; `name` says what dims and axes are called, `divide` how whole division is written: `/` in C."""
        parts: list[str] = []
        for atoms, factor in self.terms:
            written = [_text(atom, name, divide) for atom in atoms]
            if abs(factor) != 1 or not written:
                written.append(str(abs(factor)))
            sign = ("- " if factor < 0 else "+ ") if parts else "-" if factor < 0 else ""
            parts.append(sign + " * ".join(written))
        return " ".join(parts) or "0"

    def expression(self) -> str:
        """Write it in the language of kernel files."""
        return self.text(str)

    def value(self, dims: Mapping[str, int]) -> int:
        """What it is where dims have these values; it must not depend on an axis."""
        found = self.rebuilt(lambda atom: Size.of(dims[atom]) if isinstance(atom, str) else None).constant
        assert found is not None, f"{self} depends on an axis"
        return found


ONE = Size.of(1)
ZERO = Size()


def product(sizes: Iterable[Size]) -> Size:
    """The product of some extents."""
    total = ONE
    for size in sizes:
        total *= size
    return total


def combinations(axes: Iterable[Axis]) -> Size:
    """How many combinations of their indices some axes have."""
    return product(axis.extent for axis in axes)


def flattened(indices: Iterable[Size], extents: Iterable[Size]) -> Size:
    """Indices within some extents as one over all of them, in C order."""
    flat = ZERO
    for index, extent in zip(indices, extents, strict=True):
        flat = flat * extent + index
    return flat


def unflattened(flat: Size, extents: Sequence[Size]) -> list[Size]:
    """An index over all of some extents, in C order, as one for each; the first needs no remainder."""
    found: list[Size] = []
    for position in range(len(extents) - 1, -1, -1):
        found.append(flat % extents[position] if position else flat)
        flat = flat // extents[position]
    return found[::-1]


def _atoms(size: Size) -> Iterator[Atom]:
    for atoms, _ in size.terms:
        for atom in atoms:
            match atom:
                case (
                    Quotient(over=one, by=other)
                    | Remainder(over=one, by=other)
                    | Extreme(left=one, right=other)
                ):
                    yield from (*_atoms(one), *_atoms(other))
                case _:
                    yield atom


@lru_cache(maxsize=1 << 14)
def _order(atom: Atom) -> tuple[int, str]:
    """Dims come before axes, by name; what is no polynomial comes last."""
    return (0 if isinstance(atom, str) else 1 if isinstance(atom, Axis) else 2, _text(atom, _named, "//"))


def _named(atom: Atom) -> str:
    return atom if isinstance(atom, str) else f"{atom.name:>9}" if isinstance(atom, Axis) else ""


def _made(total: Mapping[tuple[Atom, ...], int]) -> Size:
    terms = [(atoms, factor) for atoms, factor in total.items() if factor]
    return Size(tuple(sorted(terms, key=lambda term: (-len(term[0]), [_order(atom) for atom in term[0]]))))


def _divided(size: Size, by: Size) -> tuple[Size, Size]:
    """What `by` divides without rest, divided, and what is left."""
    if len(by.terms) != 1:
        return (ONE, ZERO) if size == by else (ZERO, size)
    ((divisors, divisor),) = by.terms
    whole: Counter[tuple[Atom, ...]] = Counter()
    rest: Counter[tuple[Atom, ...]] = Counter()
    for atoms, factor in size.terms:
        left = Counter(atoms)
        left.subtract(divisors)
        if factor % divisor == 0 and min(left.values(), default=0) >= 0:
            whole[tuple(sorted(left.elements(), key=_order))] += factor // divisor
        else:
            rest[atoms] += factor
    return _made(whole), _made(rest)


def _is_below(size: Size, bound: Size) -> bool:
    """Whether a sum of axes is never negative and always below a bound, as far as that can be told."""
    largest = ZERO
    for atoms, factor in size.terms:
        term = Size.of(factor)
        for atom in atoms:
            if not isinstance(atom, str | Axis):
                return False
            term *= atom.extent - 1 if isinstance(atom, Axis) else Size.of(atom)
        if factor < 0 or sum(isinstance(atom, Axis) for atom in atoms) > 1:
            return False
        largest += term
    room = (bound - 1 - largest).constant
    return room is not None and room >= 0


def _rebuilt(atom: Atom, change: Callable[[Atom], Size | None]) -> Size:
    match atom:
        case Quotient(over=over, by=by):
            return over.rebuilt(change) // by.rebuilt(change)
        case Remainder(over=over, by=by):
            return over.rebuilt(change) % by.rebuilt(change)
        case Extreme(op=op, left=left, right=right):
            return left.rebuilt(change).extreme(op, right.rebuilt(change))
        case _:
            changed = change(atom)
            return Size.of(atom) if changed is None else changed


def _text(atom: Atom, name: Callable[[Atom], str], divide: str) -> str:
    match atom:
        case Quotient(over=over, by=by) | Remainder(over=over, by=by) if divide == "/" and _may_be_negative(
            over
        ):
            rounded = "floor_div" if isinstance(atom, Quotient) else "floor_mod"
            return f"{rounded}<int>({over.text(name, divide)}, {by.text(name, divide)})"
        case Quotient(over=over, by=by):
            return f"({_group(over, name, divide)} {divide} {_group(by, name, divide)})"
        case Remainder(over=over, by=by):
            return f"({_group(over, name, divide)} % {_group(by, name, divide)})"
        case Extreme(op=op, left=left, right=right):
            return f"{op}({left.text(name, divide)}, {right.text(name, divide)})"
        case _:
            return name(atom)


def _may_be_negative(size: Size) -> bool:
    """Whether a value below 0 cannot be excluded, where dims are at least 1 and axes at least 0."""
    if any(factor < 0 for atoms, factor in size.terms if atoms):
        return True
    return sum(f for atoms, f in size.terms if all(isinstance(atom, str) for atom in atoms)) < 0


def _group(size: Size, name: Callable[[Atom], str], divide: str) -> str:
    """A size as an operand: in brackets where it is more than one atom or one number."""
    text = size.text(name, divide)
    alone = len(size.terms) == 1 and len(size.terms[0][0]) == 1 and size.terms[0][1] == 1
    return text if alone or size.constant is not None else f"({text})"
