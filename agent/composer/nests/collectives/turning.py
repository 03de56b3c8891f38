"""Loops whose turns build on those before: a thread for each point, or one block for all, goes turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from agent.composer.expressions import Value
from agent.composer.ir import Node
from agent.composer.kernel_text import indent
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.points import At, placed, rebuilt, targeted
from agent.composer.nests.sizes import ONE, Axis, Size, combinations
from agent.composer.nests.texts import Texts

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
    return all(at.indices[0] == end for one in outside for at in one.reads_of(state.name))


@dataclass(frozen=True)
class TurnWriter:
    """Writes the body of a kernel that fills the buffers of one loop; what it carries shares the axis of its turns.

    Attributes:
        stages: Of the loop, in order: those of each turn, then what it carries.
        decoded: Writes an index over some axes as one for each.
        computed: Writes what computes a buffer's element, and its value.
        stored: Writes the statement that stores a value as a buffer's element.
    """

    stages: Sequence[FilledBuffer]
    texts: Texts
    decoded: Callable[[str, Sequence[Axis]], str]
    computed: Callable[[FilledBuffer], tuple[str, Value]]
    stored: Callable[[FilledBuffer, Value], str]

    @property
    def states(self) -> list[FilledBuffer]:
        """What the loop carries."""
        return [stage for stage in self.stages if stage.is_state]

    @property
    def points(self) -> Size:
        """How many threads go through the turns, each for itself; one block's where they need each other."""
        return combinations(self.states[0].axes[1:]) if self.is_side_by_side else ONE

    @cached_property
    def is_side_by_side(self) -> bool:
        """Whether every element needs but its own values of the turn before."""
        shapes = {tuple(axis.extent for axis in stage.axes[1:]) for stage in self.stages}
        if len(self.states) != len(self.stages) or len(shapes) > 1:
            return False
        names = {stage.name for stage in self.stages}
        return all(
            at.indices[1:] == tuple(map(Size.of, stage.axes[1:]))
            for stage in self.stages
            for at in stage.reads()
            if at.buffer in names
        )

    def body(self) -> str:
        """Write it."""
        return self._alone() if self.is_side_by_side else self._together()

    def _loop(self, inside: str) -> str:
        turn = self.texts.axis(self.states[0].axes[0])
        last = self.texts.size(self.states[0].axes[0].extent)
        return f"for (int {turn} = 0; {turn} < {last}; ++{turn}) {{\n{indent(inside)}}}\n"

    def _alone(self) -> str:
        """Each thread takes a point through all turns, with what it carries in registers."""
        first = self.states[0]
        states = [self._at_axes_of(first, stage) for stage in self.states]
        turn = Size.of(first.axes[0])
        registers: list[tuple[FilledBuffer, str]] = []
        for stage in states:
            name = self.texts.fresh(f"{stage.name}_value")
            registers.append((stage, name))
            before = targeted(stage.target, {first.axes[0]: turn - 1})
            self.texts.known[At(stage.name, before, stage.kind)] = Value(name, stage.kind)
        declared = "".join(f"{self.texts.types.name(stage.kind)} {name} = 0;\n" for stage, name in registers)
        texts = [self.computed(stage) for stage in states]
        new = [self.texts.fresh(f"{name}_next") for _, name in registers]
        inside = "".join(
            f"{lines}const {self.texts.types.name(value.kind)} {name} = {value.text};\n"
            for (lines, value), name in zip(texts, new, strict=True)
        )
        for (stage, name), following in zip(registers, new, strict=True):
            inside += f"{name} = {following};\n" + self._kept(stage, Value(name, stage.kind))
        return self.decoded("point", first.axes[1:]) + declared + self._loop(inside)

    def _kept(self, stage: FilledBuffer, value: Value) -> str:
        """Store a value: of each turn, or of the last one where no other is read."""
        statement = self.stored(stage, value)
        if stage.place is None:
            return statement
        turn, last = self.texts.axis(stage.axes[0]), self.texts.size(stage.axes[0].extent - 1)
        return f"if ({turn} == {last}) {{\n{indent(statement)}}}\n"

    def _at_axes_of(self, first: FilledBuffer, stage: FilledBuffer) -> FilledBuffer:
        where = {old: Size.of(new) for old, new in zip(stage.axes, first.axes, strict=True)}
        place = stage.place and targeted(stage.place, where)
        return replace(stage, axes=first.axes, value=placed(stage.value, where), place=place)

    def _together(self) -> str:
        """One block goes turn by turn, all its threads over the elements of each buffer."""
        turn = self.texts.axis(self.states[0].axes[0])
        loop = self.states[0].turns
        assert loop is not None, "it is a loop's"
        self.texts.rename(loop, f"({turn} - 1)")
        inner = "".join(self._elements(stage, loop) for stage in self.stages if not stage.is_state)
        inside = f"if ({turn} > 0) {{\n{indent(inner)}}}\n" if inner else ""
        inside += "".join(self._elements(stage, stage.axes[0], barrier="") for stage in self.states)
        return self._loop(inside + "__syncthreads();\n")

    def _elements(self, stage: FilledBuffer, turn: Axis, barrier: str = "__syncthreads();\n") -> str:
        own = [axis for axis in stage.axes if axis != turn]
        each = self.texts.fresh("e")
        lines, value = self.computed(stage)
        body = self.decoded(each, own) + lines + self.stored(stage, value)
        count = self.texts.size(combinations(own))
        return f"for (int {each} = threadIdx.x; {each} < {count}; {each} += BLOCK) {{\n{indent(body)}}}\n{barrier}"
