"""What a reference takes for granted of its sizes: NumPy raises an exception where they do not fit each other.

`x.reshape(groups, c // groups)` has as many elements as `x` only where `groups` divides `c`. A task with another size
would have no answer, so such a dim is read as the product of its parts from the start.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from agent.composer.nests.sizes import Axis, Quotient, Remainder, Size


def fitted(left: Size, right: Size, dims: Mapping[str, Size]) -> dict[str, Size] | None:
    """Dims as multiples of what divides them somewhere, if two sizes are equal with them.

    Args:
        left: A size, in terms of `dims`.
        right: Another one.
        dims: What each dim is taken for so far: itself, or a factor times a quotient.
    """
    found = dict(dims)
    for quotient in (*_quotients(left), *_quotients(right)):
        for name, value in dims.items():
            if value == quotient.over and (factor := _factor(found[name], name, quotient.by)):
                found[name] = factor * Size((((Quotient(Size.of(name), factor),), 1),))
    if found == dims:
        return None
    return found if replaced(left, found) == replaced(right, found) else None


def replaced(size: Size, dims: Mapping[str, Size]) -> Size:
    """A size with every dim as what it is taken for."""
    return size.rebuilt(lambda atom: dims.get(atom) if isinstance(atom, str) else None)


def _factor(taken: Size, name: str, by: Size) -> Size | None:
    """What must divide a dim that is taken for a multiple already, so that `by` does too."""
    if any(isinstance(atom, Axis) for atom in by.atoms) or len(by.terms) != 1:
        return None
    if taken == Size.of(name):
        return by
    before = [one.by.constant for one in _quotients(taken)]
    if by.constant is None or None in before:
        return None
    return Size.of(math.lcm(by.constant, *(one for one in before if one is not None)))


def _quotients(size: Size) -> Iterator[Quotient]:
    for atoms, _ in size.terms:
        for atom in atoms:
            if isinstance(atom, Quotient):
                yield atom
                yield from _quotients(atom.over)
            elif isinstance(atom, Remainder):
                yield Quotient(atom.over, atom.by)
