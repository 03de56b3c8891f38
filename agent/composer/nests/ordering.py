"""Orders as they are read and as they are long: only the first elements, or each element to its rank."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from agent.composer.expressions import Kind
from agent.composer.ir import Binary, Literal, Node
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.collectives.selecting import MOST
from agent.composer.nests.collectives.sorting import ElementOrder, order_of
from agent.composer.nests.points import At, Fold, both, chosen, compared, kind_of, number, placed, rebuilt
from agent.composer.nests.program import NestProgram
from agent.composer.nests.sizes import Axis, Size

_COUNTED = 1024
"""Elements up to which counting what comes before each is as fast as anything."""

_NUMBERS = -(1 << 24)
"""The axes that are made here have numbers below this one."""


def ordered(stages: Sequence[FilledBuffer], program: NestProgram) -> list[FilledBuffer]:
    """The stages with orders as short as what is read of them, and short ones by ranks."""
    numbers = itertools.count(_NUMBERS, -1)
    found = list(stages)
    for stage in stages:
        order = order_of(stage)
        if order is not None:
            found = _as_read(found, order, program, Axis(next(numbers), order.rank.extent))
    return [made for stage in found for made in _made(stage, _short(stage, program), numbers)]


def _made(stage: FilledBuffer, order: ElementOrder | None, numbers: Iterator[int]) -> list[FilledBuffer]:
    return [stage] if order is None else _by_ranks(stage, order, numbers)


def _short(stage: FilledBuffer, program: NestProgram) -> ElementOrder | None:
    """The order of a stage that its elements' ranks give best; truths and what a loop carries always."""
    order = order_of(stage)
    if order is None:
        return None
    extent = order.along.extent
    varies = any(True for _ in extent.axes()) or any(True for axis in order.rows for _ in axis.extent.axes())
    few = program.count(extent) <= _COUNTED
    return order if few or varies or stage.turns or kind_of(order.fold.body) is Kind.BOOL else None


def _by_ranks(stage: FilledBuffer, order: ElementOrder, numbers: Iterator[int]) -> list[FilledBuffer]:
    """Count what comes before each element, and send it there."""
    (own, inner), rank = (Axis(next(numbers), order.along.extent) for _ in range(2)), order.rank
    mine, theirs = (placed(order.fold.body, {order.along: Size.of(one)}) for one in (own, inner))
    ascending = order.fold.op == "ascending"
    less = Binary(theirs, mine, "<") if ascending else Binary(mine, theirs, "<")
    earlier = compared("<" if ascending else ">=", Size.of(inner), Size.of(own) + (0 if ascending else 1))
    before = Binary(less, both(Binary(theirs, mine, "=="), earlier), "|")
    axes = tuple(own if axis == rank else axis for axis in stage.axes)
    count = Fold("sum", (inner,), chosen(before, Literal(1), Literal(0)))
    name = f"{stage.name}_rank"
    ranks = replace(stage, name=name, axes=axes, value=count, kind=Kind.INTEGER)
    here = At(name, tuple(map(Size.of, axes)), Kind.INTEGER)
    place = tuple(here if index == Size.of(rank) else index for index in stage.target)
    value: Node = number(Size.of(own)) if order.fold.indices else mine
    return [ranks, replace(stage, axes=axes, value=value, place=place, extents=stage.shape)]


def _as_read(
    stages: Sequence[FilledBuffer], order: ElementOrder, program: NestProgram, fresh: Axis
) -> list[FilledBuffer]:
    """The stages with an order from its other end, or its first elements alone, where no more is read of it."""
    name, position = order.stage.name, len(order.stage.axes) - 1 - order.fold.behind
    reads = [at for stage in stages for at in stage.reads_of(name)]
    found = {_end(at, position, order.along.extent) for at in reads}
    if not reads or len(found) != 1 or None in found:
        return list(stages)
    ((op, extent),) = (one for one in found if one is not None)
    few = program.count(extent) <= MOST and _short(order.stage, program) is None
    wanted = extent if few else None
    if op == "ascending" and (wanted is None or wanted == order.rank.extent):
        return list(stages)
    rank = replace(fresh, extent=wanted or order.rank.extent)

    def change(part: Node) -> Node:
        again = rebuilt(part, change)
        if not isinstance(again, At) or again.buffer != name:
            return again
        last = again.indices[position]
        assert isinstance(last, Size), "it was looked at"
        moved = last if op == "ascending" else order.along.extent - 1 - last
        return replace(again, indices=(*again.indices[:position], moved, *again.indices[position + 1 :]))

    axes = tuple(rank if axis == order.rank else axis for axis in order.stage.axes)
    made = replace(order.stage, axes=axes, value=replace(order.fold, op=op))
    return [made if stage is order.stage else stage.rebuilt(change) for stage in stages]


def _end(at: At, position: int, extent: Size) -> tuple[str, Size] | None:
    """From which end of an order elements are read, and how many; None where that is not one after the other."""
    index = at.indices[position]
    if not isinstance(index, Size):
        return None
    for op, along in (("ascending", index), ("descending", extent - 1 - index)):
        for axis in along.axes():
            if along == Size.of(axis):
                return op, axis.extent
    return None
