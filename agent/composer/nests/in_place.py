"""Arrays that are changed in place: mirrored by swaps, or copied before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.composer.ir import Node
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.collectives.sorting import order_of
from agent.composer.nests.points import At, Index, placed, rebuilt, targeted
from agent.composer.nests.program import Nest
from agent.composer.nests.sizes import Axis, Size


def swapped(nests: Sequence[Nest], name: str) -> tuple[Nest, ...] | None:
    """Let threads swap elements with their mirror images, where that is all that becomes of an array in place."""
    if any(stage.reads_of(name) for nest in nests[:-1] for stage in nest.stages):
        return None
    last = _mirrored(nests[-1], name)
    return None if last is None else (*nests[:-1], last)


def _mirrored(nest: Nest, name: str) -> Nest | None:
    """The nest over half of the points, where all it reads of an array that it changes is the mirror image."""
    if len(nest.stages) != 1 or nest.folds or nest.stages[0].name != name:
        return None
    (stage,) = nest.stages
    turned = {_turned(stage, at.indices) for at in stage.reads_of(name)}
    if len(turned) != 1 or None in turned:
        return None
    (axis,) = turned
    assert axis is not None, "looked at before"
    half = Axis(axis.number, (axis.extent + 1) // 2)
    here, there = Size.of(half), axis.extent - 1 - Size.of(half)
    axes = tuple(half if one == axis else one for one in nest.axes)
    one, other = (
        replace(
            stage, axes=axes, value=placed(stage.value, {axis: at}), extents=stage.shape,
            place=tuple(at if index == Size.of(axis) else index for index in stage.target),
        )
        for at in (here, there)
    )  # fmt: skip
    return Nest(axes, (one, other))


def _turned(stage: FilledBuffer, indices: tuple[Index, ...]) -> Axis | None:
    """The one axis along which an index is the mirror image of the stage's own; None where it is anything else."""
    if len(indices) != len(stage.axes) or stage.target != tuple(map(Size.of, stage.axes)):
        return None
    odd = [(axis, index) for axis, index in zip(stage.axes, indices, strict=True) if index != Size.of(axis)]
    if len(odd) != 1:
        return None
    ((axis, index),) = odd
    return axis if index == axis.extent - 1 - Size.of(axis) else None


def copied(nests: Sequence[Nest], name: str, shapes: dict[str, tuple[Size, ...]]) -> tuple[Nest, ...]:
    """Copy an array that is changed in place, where it is read after that, or by another thread than the writer.

    Args:
        nests: In the order of their launches.
        name: Of the array.
        shapes: Of all buffers; the copy's is added.
    """
    at = next(position for position, nest in enumerate(nests) if any(one.name == name for one in nest.stages))
    if not any(_reads_changed(nest, name) for nest in nests[at:]):
        return tuple(nests)
    copy, shape = f"{name}_before", shapes[name]
    shapes[copy] = shape
    axes = tuple(Axis(-(1 << 20) - position, extent) for position, extent in enumerate(shape))
    kind = next(load.kind for nest in nests for stage in nest.stages for load in stage.reads_of(name))
    first = Nest(axes, (FilledBuffer(copy, axes, At(name, tuple(map(Size.of, axes)), kind), kind),))
    moved = [
        replace(nest, stages=tuple(one.rebuilt(lambda node: _from(node, name, copy)) for one in nest.stages))
        for nest in nests
    ]
    return (first, *moved)


def _from(node: Node, old: str, new: str) -> Node:
    """The same value, read from another buffer."""

    def change(part: Node) -> Node:
        again = rebuilt(part, change)
        return replace(again, buffer=new) if isinstance(again, At) and again.buffer == old else again

    return change(node)


def _reads_row_first(stage: FilledBuffer, load: At) -> bool:
    """Whether a stage puts a row in order that a block has read as a whole before it stores any of it."""
    order = order_of(stage)
    if order is None:
        return False
    return targeted(load.indices, {order.along: Size.of(order.rank)}) == stage.target


def _reads_changed(nest: Nest, name: str) -> bool:
    """Whether a nest reads what it, or one before it, has written; at a point, all is read before any is stored."""
    own = next((one for one in nest.stages if one.name == name), None)
    for stage in nest.stages:
        for load in stage.reads():
            if load.buffer != name:
                continue
            beside = own is not None and stage is not own and bool(nest.extra(own))
            if own is None or beside or not (load.indices == own.target or _reads_row_first(own, load)):
                return True
    return False
