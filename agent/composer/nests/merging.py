"""Joins neighbouring axes that every access walks through as one, so that no index has to be taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from agent.composer.nests.points import At, Index, Number, parts, placed, targeted
from agent.composer.nests.program import Nest, NestProgram, is_special
from agent.composer.nests.sizes import Axis, Size, flattened


def merged(program: NestProgram) -> NestProgram:
    """The program with the shared axes of each kernel joined where that changes nothing."""
    return replace(program, nests=tuple(_merged(nest, program.shapes) for nest in program.nests))


def _merged(nest: Nest, shapes: Mapping[str, tuple[Size, ...]]) -> Nest:
    if any(is_special(stage) or stage.is_scattered for stage in nest.stages):
        return nest
    for position in range(len(nest.axes) - 1, 0, -1):
        outer, inner = nest.axes[position - 1 : position + 1]
        if all(_is_one(flat, outer, inner) for flat in _flats(nest, shapes)):
            return _merged(_joined(nest, position), shapes)
    return nest


def _flats(nest: Nest, shapes: Mapping[str, tuple[Size, ...]]) -> Iterator[Size]:
    """Every place that the nest reads or writes, and every other number that follows from its axes."""
    for stage in nest.stages:
        for part in parts(stage.value):
            if isinstance(part, At):
                yield _flat(part.indices, shapes[part.buffer])
            elif isinstance(part, Number):
                yield part.value * _ODD
        yield _flat(stage.target, shapes[stage.name])


_ODD = Size.of("")
"""No dim has this name: what is multiplied with it is no place in memory."""


def _flat(indices: tuple[Index, ...], shape: tuple[Size, ...]) -> Size:
    squeezed = [extent for extent in shape if len(shape) == len(indices) or extent != Size.of(1)]
    return flattened((index if isinstance(index, Size) else Size() for index in indices), squeezed)


def _is_one(flat: Size, outer: Axis, inner: Axis) -> bool:
    """Whether a place depends on two axes as it would on one that runs through both."""
    if not {outer, inner} & flat.atoms:
        return True
    joined = Size.of(outer) * inner.extent + Size.of(inner)
    step = _factor(flat, inner)
    return step is not None and not {outer, inner} & (flat - joined * step).atoms and "" not in step.atoms


def _factor(flat: Size, axis: Axis) -> Size | None:
    """What an axis is multiplied with; None where that is no plain product."""
    total = Size()
    for atoms, factor in flat.terms:
        if atoms.count(axis) == 1:
            rest = list(atoms)
            rest.remove(axis)
            total += Size(((tuple(rest), factor),))
        elif axis in atoms:
            return None
    return total


def _joined(nest: Nest, position: int) -> Nest:
    outer, inner = nest.axes[position - 1 : position + 1]
    both = Axis(inner.number, outer.extent * inner.extent)
    where = {outer: Size(), inner: Size.of(both)}
    axes = (*nest.axes[: position - 1], both, *nest.axes[position + 1 :])
    stages = tuple(
        replace(
            stage, axes=(*axes, *nest.extra(stage)), extents=stage.shape, value=placed(stage.value, where),
            place=targeted(stage.target, where),
        )
        for stage in nest.stages
    )  # fmt: skip
    return Nest(axes, stages)
