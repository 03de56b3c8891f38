"""What a loop over a size carries from turn to turn: its body is followed once, on values of the turn before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.composer.expressions import Kind
from agent.composer.nests.arrays import Array, FilledBuffer, NotExpressed, Shape, Tracer, broadcast, spread
from agent.composer.nests.kinds import as_kind
from agent.composer.nests.points import At, chosen, compared, guarded, placed
from agent.composer.nests.reading.values import array_of
from agent.composer.nests.sizes import ONE, Axis, Size

Place = tuple[bool, int, int]
"""Where a loop stands: whether in a function that is not the reference's own, line, column."""


@dataclass(frozen=True)
class Carried:
    """What a name holds from turn to turn."""

    shape: Shape
    kind: Kind


class CarriesError(NotExpressed):
    """A loop carries a name, or carries something wider by it, than was known when it began."""

    def __init__(self, place: Place, name: str, carried: Carried | None = None) -> None:
        super().__init__(f"`{name}` changes from turn to turn of a loop over a size")
        self.place = place
        self.name = name
        self.carried = carried


@dataclass(frozen=True)
class _State:
    buffer: str
    before: Array
    during: Array
    kind: Kind


class Carrying:
    """The names that one loop carries while its body is followed."""

    def __init__(
        self, tracer: Tracer, place: Place, scope: dict[str, Any], names: Mapping[str, Carried | None]
    ) -> None:
        """Take what the names hold before the loop."""
        self._tracer = tracer
        self._place = place
        self._scope = scope
        self._outer = tuple(tracer.loops)
        self._names = names
        self._before = {name: array_of(tracer, scope[name]) for name in names}
        self._states: dict[str, _State] = {}
        self._start = len(tracer.stages)

    @property
    def names(self) -> tuple[str, ...]:
        """What is carried."""
        return tuple(self._names)

    def begin(self, loop: Axis) -> None:
        """Let each name hold what the turn before left; the loop has been entered."""
        for number, (name, known) in enumerate(self._names.items()):
            before = self._before[name]
            carried = known or Carried(before.shape, before.kind)
            axes = tuple(self._tracer.axis(extent) for extent in carried.shape)
            buffer = f"carried_{loop.number}_{number}"
            indices = tuple(map(Size.of, (loop, *self._outer, *axes)))
            during = Array(axes, At(buffer, indices, carried.kind), None, self._tracer)
            self._states[name] = _State(buffer, before, during, carried.kind)
            self._scope[name] = during

    def end(self, loop: Axis) -> None:
        """Let each name hold what the last turn left; the loop has been left.

        Raises:
            CarriesError: A turn leaves more axes, or elements of a wider kind, than it was given.
        """
        made = self._tracer.stages[self._start :]
        del self._tracer.stages[self._start :]
        turn = self._tracer.axis(loop.extent + 1)
        states = [self._stage(name, state, loop, turn) for name, state in self._states.items()]
        before, inner, after = _parted(made, {stage.name for stage in states}, loop)
        self._tracer.stages += [*before, *inner, *states, *after]
        for name, state in self._states.items():
            self._finish(name, state, loop)

    def _stage(self, name: str, state: _State, loop: Axis, turn: Axis) -> FilledBuffer:
        """The buffer of a name's values: at 0 the one before the loop, at `i + 1` what turn `i` leaves."""
        after = array_of(self._tracer, self._scope[name])
        shape, kind = broadcast([state.during.shape, after.shape]), max(state.kind, after.kind)
        if shape != state.during.shape or kind is not state.kind:
            raise CarriesError(self._place, name, Carried(shape, kind))
        axes = tuple(self._tracer.axis(extent) for extent in shape)
        index = tuple(map(Size.of, axes))
        later = compared(">=", Size.of(turn), ONE)
        step = placed(as_kind(spread(after, index), kind), {loop: Size.of(turn) - 1})
        value = chosen(later, guarded(step, later), as_kind(spread(state.before, index), kind))
        return FilledBuffer(state.buffer, (turn, *self._outer, *axes), value, kind, turns=loop)

    def _finish(self, name: str, state: _State, loop: Axis) -> None:
        axes = tuple(self._tracer.axis(extent) for extent in state.during.shape)
        indices = (loop.extent, *map(Size.of, (*self._outer, *axes)))
        last = Array(axes, At(state.buffer, indices, state.kind), None, self._tracer)
        if self._scope[name] is state.during and state.before.shape == last.shape and last.axes:
            state.before.write(last.at([Size.of(axis) for axis in state.before.axes]))
            self._scope[name] = state.before
        else:
            self._scope[name] = last


def _parted(
    made: list[FilledBuffer], carried: set[str], loop: Axis
) -> tuple[list[FilledBuffer], list[FilledBuffer], list[FilledBuffer]]:
    """The buffers of a loop's body: those that need nothing carried, those of each turn, those over all turns."""
    before, inner, after = list[FilledBuffer](), list[FilledBuffer](), list[FilledBuffer]()
    within, behind = set(carried), set[str]()
    for stage in made:
        reads = {at.buffer for at in stage.reads()}
        if reads & behind or (reads & within and loop not in stage.axes):
            after.append(stage)
            behind.add(stage.name)
        elif reads & within:
            if stage.turns is not None or stage.place is not None:
                raise NotExpressed("a loop, or a sort, in a loop whose turns build on those before")
            inner.append(replace(stage, turns=loop))
            within.add(stage.name)
        else:
            before.append(stage)
    return before, inner, after
