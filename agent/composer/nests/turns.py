"""Loops whose turns build on those before: what stages belong to one, and how much of it must be kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from agent.composer.ir import Node
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.points import At, rebuilt
from agent.composer.nests.sizes import Size

_RING = 2
"""Turns of which values are kept where only the last one's are read in the end."""


def ringed(stages: Sequence[FilledBuffer], outputs: Iterable[str]) -> list[FilledBuffer]:
    """Keep only the last two values of what loops carry, where no other stage reads the ones before."""
    rings = {
        one.name for one in stages if one.is_state and one.name not in outputs and _ends_alone(one, stages)
    }
    if not rings:
        return list(stages)

    def change(part: Node) -> Node:
        again = rebuilt(part, change)
        if not isinstance(again, At) or again.buffer not in rings:
            return again
        turn, *rest = again.indices
        assert isinstance(turn, Size), "turns are counted"
        return replace(again, indices=(turn % _RING, *rest))

    def ring(stage: FilledBuffer) -> FilledBuffer:
        if stage.name not in rings:
            return stage
        turn, *rest = stage.axes
        place = (Size.of(turn) % _RING, *map(Size.of, rest))
        return replace(stage, place=place, extents=(Size.of(_RING), *(axis.extent for axis in rest)))

    return [ring(stage.rebuilt(change)) for stage in stages]


def _ends_alone(state: FilledBuffer, stages: Sequence[FilledBuffer]) -> bool:
    end = state.axes[0].extent - 1
    outside = [one for one in stages if one.turns != state.turns]
    return all(at.indices[0] == end for one in outside for at in one.reads() if at.buffer == state.name)
