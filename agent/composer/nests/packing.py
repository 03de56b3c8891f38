"""Neighbouring points of a nest taken together, so that one instruction moves what they touch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.composer.ir import Node
from agent.composer.nests.neighbours import widest, width_macro
from agent.composer.nests.points import At, Index, parts
from agent.composer.nests.program import Nest, is_special
from agent.composer.nests.sizes import ONE, Axis, Quotient, Size


@dataclass(frozen=True)
class Packing:
    """How a thread takes neighbouring points of a nest.

    Attributes:
        axis: The last shared axis, along which they are neighbours.
        width: How many they are, where everything is aligned.
        aligned: What the width must divide; where it does not, they are one at a time.
        has_tail: Whether the axis may end within a pack: then that pack goes element by element.
    """

    axis: Axis
    width: int
    aligned: frozenset[Size]
    has_tail: bool

    def macro(self, name: str) -> str:
        """The directive that defines the width under this name."""
        return width_macro(name, self.width, self.aligned)


def packing(nest: Nest, shapes: Mapping[str, tuple[Size, ...]], dtypes: Mapping[str, str]) -> Packing | None:
    """How threads of a nest take neighbouring points; None where that brings nothing together."""
    if not nest.axes or any(is_special(stage) or stage.is_scattered for stage in nest.stages):
        return None
    axis = nest.axes[-1]
    if nest.shapes_loops([axis]):
        return None
    found = widest(_touched(nest), axis, shapes, dtypes)
    if found is None:
        return None
    width, aligned = found
    plain = len(nest.axes) == 1 and not nest.folds and not any(nest.extra(stage) for stage in nest.stages)
    return Packing(axis, width, aligned if plain else aligned | {axis.extent}, plain)


def _touched(nest: Nest) -> Iterator[tuple[str, tuple[Index, ...]]]:
    """What the nest reads without conditions, and what it writes."""
    for stage in nest.stages:
        values: list[Node] = [stage.value, *(one for one in stage.target if isinstance(one, Node))]
        for part in (part for value in values for part in parts(value)):
            if isinstance(part, At) and not part.guards:
                yield part.buffer, part.indices
        yield stage.name, stage.target


def groups(pack: Packing, macro: str) -> Size:
    """How many packs there are along the axis."""
    over = Quotient(pack.axis.extent + Size.of(macro) - ONE, Size.of(macro))
    return Size((((over,), 1),))
