"""Outputs that are put together of two parts become two stages: each is computed where it goes, and nowhere else."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from agent.composer.expressions import Kind
from agent.composer.ir import Binary, Literal, Node, Where
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.kinds import literal, plain_value
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
            met = compared(op, _size(left), _size(right))
            return literal(met.value, Kind.BOOL) if isinstance(met, Literal) else met
        case Binary(left=left, right=right, op="&" | "|" as op):
            return _joined(op, decided(left), decided(right))
        case At():
            again = rebuilt(node, decided)
            assert isinstance(again, At), "what is read stays so"
            if any(plain_value(one) == 0 for one in again.guards):
                return literal(0, again.kind)
            return replace(again, guards=tuple(one for one in again.guards if plain_value(one) is None))
        case Where(condition=condition, yes=yes, no=no):
            met = decided(condition)
            if (known := plain_value(met)) is not None:
                return decided(yes if known else no)
            return Where(met, decided(yes), decided(no))
        case _:
            return rebuilt(node, decided)


def _joined(op: str, left: Node, right: Node) -> Node:
    """Two conditions as one, without one of which it is known whether it holds."""
    for one, other in ((left, right), (right, left)):
        if (known := plain_value(one)) is not None:
            return other if bool(known) == (op == "&") else literal(op == "|", Kind.BOOL)
    return Binary(left, right, op)


def _size(node: Number | Literal) -> Index:
    if isinstance(node, Number):
        return node.value
    return Size.of(node.value) if isinstance(node.value, int) else node
