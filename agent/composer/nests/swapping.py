"""Arrays that are mirrored in place: a thread takes an element and its mirror image, and writes both."""

from __future__ import annotations

from dataclasses import replace

from agent.composer.nests.arrays import Stage
from agent.composer.nests.fusing import Nest
from agent.composer.nests.points import placed
from agent.composer.nests.sizes import Axis, Size


def swapped(nest: Nest, name: str) -> Nest | None:
    """The nest over half of the points, where all it reads of an array that it changes is the mirror image."""
    if len(nest.stages) != 1 or nest.folds or nest.stages[0].name != name:
        return None
    (stage,) = nest.stages
    mirrored = {_mirrored(stage, at.indices) for at in stage.reads() if at.buffer == name}
    if len(mirrored) != 1 or None in mirrored:
        return None
    (axis,) = mirrored
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


def _mirrored(stage: Stage, indices: tuple[object, ...]) -> Axis | None:
    """The one axis along which an index is the mirror image of the stage's own; None where it is anything else."""
    odd = [axis for axis, index in zip(stage.axes, indices, strict=False) if index != Size.of(axis)]
    if len(indices) != len(stage.axes) or len(odd) != 1 or stage.target != tuple(map(Size.of, stage.axes)):
        return None
    (axis,) = odd
    return axis if indices[stage.axes.index(axis)] == axis.extent - 1 - Size.of(axis) else None
