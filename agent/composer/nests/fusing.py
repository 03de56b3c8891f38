"""Joins stages: what is read at one place alone is computed there, what shares its first axes is one kernel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from agent.composer.ir import Node
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.collectives.scanning import scanned
from agent.composer.nests.collectives.sorting import order_of
from agent.composer.nests.points import At, Fold, Index, axes_of, placed, rebuilt, targeted
from agent.composer.nests.program import Nest, NestProgram, folds_of, is_special
from agent.composer.nests.sizes import Axis, Size, combinations

_ROWS = 1 << 14
"""Rows from which on a thread for each fills a GPU."""

_SHORT = 64
"""Elements that a thread folds by itself."""


def inlined(stages: Sequence[FilledBuffer], outputs: Iterable[str]) -> list[FilledBuffer]:
    """Compute what is read at one place alone, and for the same point, right there."""
    kept = list(stages)
    for name in [stage.name for stage in stages]:
        stage = next(one for one in kept if one.name == name)
        if name in outputs or stage.place is not None or is_special(stage):
            continue
        readers = [one for one in kept if one.reads_of(name)]
        if len(readers) != 1 or is_special(readers[0]):
            continue
        found = readers[0].reads_of(name)
        if all(not at.guards and _covers(at.indices, readers[0].axes) for at in found):
            kept[kept.index(readers[0])] = _taken_in(readers[0], stage)
            kept.remove(stage)
    return kept


def folded_in(
    stages: Sequence[FilledBuffer], outputs: Iterable[str], program: NestProgram
) -> list[FilledBuffer]:
    """Compute what a long fold reads once for each of its elements within that fold: short folds of many rows."""
    kept, final = list(stages), set(outputs)
    for stage in reversed(stages):
        if stage.name in final or stage.place is not None or is_special(stage):
            continue
        readers = [one for one in kept if one.reads_of(stage.name)]
        folds = list(folds_of(stage))
        lengths = [program.count(combinations(fold.axes)) for fold in folds]
        many = program.count(combinations(stage.axes)) >= _ROWS
        if not many or max(lengths, default=1) > _SHORT or len(readers) != 1 or is_special(readers[0]):
            continue
        if _is_read_once(stage, readers[0]):
            kept[kept.index(readers[0])] = _taken_in(readers[0], stage)
            kept.remove(stage)
    return kept


def _is_read_once(stage: FilledBuffer, reader: FilledBuffer) -> bool:
    """Whether all that a reader is, is a fold that takes in each element of a stage for one of its own."""
    if not isinstance(reader.value, Fold) or reader.place is not None:
        return False
    over = (*reader.axes, *reader.value.axes)
    return all(not at.guards and _covers(at.indices, over) for at in reader.reads_of(stage.name))


def _covers(indices: Sequence[Index], axes: Sequence[Axis]) -> bool:
    """Whether the indices are the axes, each once, in any order."""
    return len(indices) == len(axes) and set(indices) == {Size.of(axis) for axis in axes}


def _taken_in(reader: FilledBuffer, stage: FilledBuffer) -> FilledBuffer:
    def change(part: Node) -> Node:
        if isinstance(part, At) and part.buffer == stage.name:
            return placed(stage.value, dict(zip(stage.axes, part.indices, strict=True)))
        return rebuilt(part, change)

    return reader.rebuilt(change)


def grouped(stages: Sequence[FilledBuffer], program: NestProgram) -> tuple[Nest, ...]:
    """Make kernels of stages, each as much of what comes next as reads only its own point."""
    nests: list[Nest] = []
    for stage in stages:
        joined = _joined(nests[-1], stage, program) if nests else None
        if stage.turns is not None and nests and nests[-1].turns == stage.turns:
            nests[-1] = replace(nests[-1], stages=(*nests[-1].stages, stage))
        elif stage.turns is not None:
            nests.append(Nest((), (stage,)))
        elif joined is None:
            order = order_of(stage)
            along = order.rank if order else scanned(stage)
            nests.append(Nest(tuple(axis for axis in stage.axes if axis != along), (stage,)))
        else:
            nests[-1] = joined
    return tuple(nests)


def _joined(nest: Nest, stage: FilledBuffer, program: NestProgram) -> Nest | None:
    """The nest with a stage at its end; None where the stage reads more than the same point of it."""
    if any(one.is_scattered or is_special(one) for one in (stage, *nest.stages)):
        return None
    alike = [axis.extent for axis in stage.axes] == [axis.extent for axis in nest.axes]
    if not alike and (not nest.folds or not nest.axes or program.count(nest.points) == 1):
        return None
    order = _shared_axes(stage, nest) or stage.axes[: len(nest.axes)]
    if [axis.extent for axis in order] != [axis.extent for axis in nest.axes]:
        return None
    moved = _moved(stage, order, nest.axes)
    beside = set(moved.axes[len(nest.axes) :])
    if any(axes_of(fold) & beside for fold in folds_of(moved)):
        return None
    return replace(nest, stages=(*nest.stages, moved)) if _fits(nest, moved, program, alike=alike) else None


def _moved(stage: FilledBuffer, order: Sequence[Axis], shared: Sequence[Axis]) -> FilledBuffer:
    """The stage with some of its axes first, as those of the nest; its elements go where they went."""
    here = {own: Size.of(axis) for own, axis in zip(order, shared, strict=True)}
    rest = tuple(axis for axis in stage.axes if axis not in order)
    value, target = placed(stage.value, here), targeted(stage.target, here)
    return replace(stage, axes=(*shared, *rest), value=value, place=target, extents=stage.shape)


def _fits(nest: Nest, stage: FilledBuffer, program: NestProgram, *, alike: bool) -> bool:
    """Whether all that a stage reads of a nest is what the same point has computed."""
    changed = {one.name for one in program.task.arguments if one.role == "inout"}
    own = {one.name: one for one in nest.stages if one.name not in changed}
    found = [at for at in stage.reads() if at.buffer in own]
    return (alike or bool(found)) and all(
        not nest.extra(own[at.buffer]) and at.indices == own[at.buffer].target for at in found
    )


def _shared_axes(stage: FilledBuffer, nest: Nest) -> tuple[Axis, ...] | None:
    """The axes at which a stage reads a nest's results; None where it reads none, or not along axes of its own."""
    own = {one.name for one in nest.stages if not nest.extra(one)}
    by_size = {Size.of(axis): axis for axis in stage.axes}
    for at in stage.reads():
        if at.buffer in own and len(set(at.indices)) == len(nest.axes):
            found = [by_size.get(one) for one in at.indices if isinstance(one, Size)]
            axes = tuple(axis for axis in found if axis is not None)
            return axes if len(axes) == len(nest.axes) else None
    return None
