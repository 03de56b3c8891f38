"""Outputs that are put together of two parts become two stages: each is computed where it goes, and nowhere else."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from agent.composer.ir import Binary, Literal, Node, Where
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.kinds import literal
from agent.composer.nests.points import At, Index, Number, compared, placed, rebuilt, targeted
from agent.composer.nests.sizes import Axis, Size

_DECIDED = frozenset({"<", ">=", "=="})


def parted(stages: Sequence[FilledBuffer], outputs: Collection[str]) -> list[FilledBuffer]:
    """The stages, with outputs that no other reads in parts where their value is a choice along an axis."""
    read = {at.buffer for stage in stages for at in stage.reads()}
    found: list[FilledBuffer] = []
    for stage in stages:
        found += _parts(stage) if stage.name in outputs and stage.name not in read else [stage]
    return found


def _parts(stage: FilledBuffer) -> Iterator[FilledBuffer]:
    match stage.value:
        case Where(Binary(Number(value=index), bound, "<")) if stage.place is None and stage.turns is None:
            axis = next((axis for axis in stage.axes if index == Size.of(axis)), None)
            size = bound.value if isinstance(bound, Number | Literal) else None
            if axis is None or not isinstance(size, Size | int):
                yield stage
                return
            first = Axis(_LOW - axis.number, Size.of(size))
            rest = axis.extent - Size.of(size)
            second = first if rest == first.extent else Axis(_LOW - (1 << 16) - axis.number, rest)
            for part, start in ((first, Size()), (second, Size.of(size))):
                yield _part(stage, axis, part, start + Size.of(part))
        case _:
            yield stage


_LOW = -(1 << 18)
"""Numbers of the axes that are made here lie below this one."""


def _part(stage: FilledBuffer, axis: Axis, part: Axis, index: Size) -> FilledBuffer:
    where: dict[Axis, Index] = {axis: index}
    return replace(
        stage, axes=tuple(part if one == axis else one for one in stage.axes),
        value=decided(placed(stage.value, where)), place=targeted(stage.target, where), extents=stage.shape,
    )  # fmt: skip


def decided(node: Node) -> Node:
    """The same value without conditions of which it is known whether they hold."""
    match node:
        case Binary(left=Number() | Literal() as left, right=Number() | Literal() as right, op=op) if (
            op in _DECIDED
        ):
            return compared(op, _size(left), _size(right))
        case At():
            again = rebuilt(node, decided)
            assert isinstance(again, At), "what is read stays so"
            known = [one.value for one in again.guards if isinstance(one, Literal)]
            if not all(known):
                return literal(0, again.kind)
            return replace(again, guards=tuple(one for one in again.guards if not isinstance(one, Literal)))
        case Where(condition=condition, yes=yes, no=no):
            met = decided(condition)
            if isinstance(met, Literal):
                return decided(yes if met.value else no)
            return Where(met, decided(yes), decided(no))
        case _:
            return rebuilt(node, decided)


def _size(node: Number | Literal) -> Index:
    if isinstance(node, Number):
        return node.value
    return Size.of(node.value) if isinstance(node.value, int) else node
