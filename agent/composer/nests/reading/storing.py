"""Storing into parts of symbolic arrays, as NumPy's square brackets do, once or at every turn of loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.composer.expressions import Kind
from agent.composer.folding import binary
from agent.composer.ir import Binary, Literal, Node
from agent.composer.nests.arrays import Array, NotExpressed, Tracer, broadcast, check_equal, spread
from agent.composer.nests.kinds import as_kind, literal, truth
from agent.composer.nests.points import (
    Fold,
    Index,
    axes_of,
    both,
    chosen,
    compared,
    guarded,
    modulo,
    number,
    over,
    placed,
)
from agent.composer.nests.reading.indexing import AxisRun, Picked, keys_of, parts_of
from agent.composer.nests.reading.values import Selected
from agent.composer.nests.sizes import ONE, Axis, Size, flattened


def write(
    tracer: Tracer, array: Array, items: Any, value: Array, op: str = "", *, each_counts: bool = False
) -> None:
    """`array[items] = value`, or with `op` (+, -, *) what `array[items] op= value` does.

    Args:
        tracer: Whose loops are being followed.
        array: What is stored into.
        items: As between square brackets.
        value: What is stored.
        op: What is made of the old value and it.
        each_counts: Whether an element that indices name several times is changed each time, as by `np.add.at`.

    Raises:
        NotExpressed: Where it is stored cannot be told.
    """
    keys = keys_of(tracer, array, items)
    value = _cast(tracer, array, value, op)
    if any(isinstance(key, Array) and key.kind is Kind.BOOL for key in keys):
        _write_masked(tracer, array, keys, value, op)
        return
    named = _Named.of(tracer, keys)
    parts, shape = _target(array, named)
    running = (*tracer.loops[array.depth :], *named.axes)
    condition, inner, loops = _places(running, array.axes, parts)
    index = [*inner[: named.at], *map(Size.of, named.axes), *inner[named.at :]]
    stored, condition = spread(_fitting(tracer, value, shape), index), placed(condition, loops)
    turns = [loop for loop in running if loop not in loops]
    if named.axes and set(turns) - set(named.axes):
        raise NotExpressed("storing at indices that are read from an array, in a loop over a size")
    if turns and (not op or (named.axes and not each_counts)):
        condition, stored = _last(tracer, turns, condition, placed(stored, loops))
    elif axes_of(condition) & set(turns):
        stored = _all_turns(tracer, op, _where_met(op, condition, placed(stored, loops), array.kind), turns)
        condition = Literal(1)
    else:
        stored = placed(_all_turns(tracer, op, stored, turns), loops)
    array.write(chosen(condition, guarded(taken(op, array.own, stored), condition), array.own))


@dataclass(frozen=True)
class _Named:
    """Keys that are arrays of indices, taken apart.

    Attributes:
        keys: One for each axis, with one index, in terms of `axes`, in the place of each array.
        axes: Of what the arrays are when they are broadcast together.
        at: Which axis of what is stored they begin at.
    """

    keys: tuple[Any, ...]
    axes: tuple[Axis, ...] = ()
    at: int = 0

    @classmethod
    def of(cls, tracer: Tracer, keys: Sequence[Any]) -> _Named:
        """Take keys apart."""
        arrays = [key for key in keys if isinstance(key, Array) and key.axes]
        if not arrays:
            return cls(tuple(keys))
        axes = tuple(tracer.axis(extent) for extent in broadcast([key.shape for key in arrays]))
        index = tuple(map(Size.of, axes))
        at_each = [isinstance(key, Array) and bool(key.axes) for key in keys]
        first, last = at_each.index(True), len(keys) - 1 - at_each[::-1].index(True)
        joined = all(at_each[first : last + 1])
        spread_out = tuple(
            Array((), spread(key, index)) if own else key for key, own in zip(keys, at_each, strict=True)
        )
        return cls(spread_out, axes, sum(isinstance(key, slice) for key in keys[:first]) if joined else 0)


def _last(tracer: Tracer, turns: Sequence[Axis], condition: Node, stored: Node) -> tuple[Node, Node]:
    """Whether any of these turns stores, and what the last one that does leaves."""
    if not axes_of(condition) & set(turns):
        return condition, placed(stored, {turn: turn.extent - 1 for turn in turns})
    flat = flattened(map(Size.of, turns), (turn.extent for turn in turns))
    found = Fold("max", tuple(turns), chosen(condition, number(flat), Literal(-1)))
    last = _kept_outside(tracer, found, turns)
    rest: Index = last
    where: dict[Axis, Index] = {}
    for turn in reversed(turns):
        where[turn] = modulo(rest, turn.extent) if turn is not turns[0] else rest
        rest = over(rest, turn.extent)
    met = Binary(last, Literal(0), ">=")
    return met, guarded(placed(stored, where), met)


def _kept_outside(tracer: Tracer, folded: Fold, turns: Sequence[Axis]) -> Node:
    """What all turns of some loops make, in a buffer for all that it depends on beside other loops."""
    outer = {loop for loop in tracer.loops if loop not in turns}
    free = sorted(axes_of(folded) - outer, key=lambda axis: axis.number)
    return tracer.kept(tuple(free), folded).own


def _cast(tracer: Tracer, array: Array, value: Array, op: str) -> Array:
    """What is stored, as NumPy converts it to the kind of the array."""
    kind = array.kind
    if value.kind is kind:
        return value
    if op and (value.kind > kind or kind is Kind.BOOL):
        raise NotExpressed(f"`{op}=` of an array whose elements are of a narrower kind")
    return tracer.array(value.shape, lambda index: as_kind(value.at(index), kind))


def _where_met(op: str, condition: Node, value: Node, kind: Kind) -> Node:
    """What a turn adds: nothing where it does not store."""
    return chosen(condition, guarded(value, condition), literal(1 if op == "*" else 0, kind))


def _write_masked(tracer: Tracer, array: Array, keys: Sequence[Any], value: Array, op: str) -> None:
    """Store one value wherever a mask of the first axes holds."""
    mask, *others = keys
    if not isinstance(mask, Array) or any(key != slice(None) for key in others) or value.axes:
        raise NotExpressed("storing at a mask beside other indices, or anything but one value")
    _store_where(tracer, array, mask, value.body, op)


def _store_where(tracer: Tracer, array: Array, mask: Array, new: Node, op: str) -> None:
    """Store an element, in terms of the array's axes, wherever a mask of the first of these holds."""
    if mask.kind is not Kind.BOOL or mask.shape != array.shape[: len(mask.axes)]:
        raise NotExpressed("a mask of another shape than what it is stored into")
    if tracer.loops[array.depth :]:
        raise NotExpressed("storing at a mask in a loop over a size")
    met = truth(mask.at([Size.of(axis) for axis in array.axes[: len(mask.axes)]]))
    array.write(chosen(met, taken(op, array.own, new), array.own))


def write_selected(tracer: Tracer, array: Array, mask: Any, value: Selected, op: str) -> None:
    """`array[mask] = value`, or `array[mask] op= value`, of what the same mask has selected."""
    if not isinstance(mask, Array) or not value.is_by(mask):
        raise NotExpressed("what a mask selects, stored at anything but that mask")
    if value.kind is not array.kind:
        raise NotExpressed("what a mask selects, stored into an array of another kind")
    _store_where(tracer, array, mask, value.array.at([Size.of(axis) for axis in array.axes]), op)


def _target(array: Array, named: _Named) -> tuple[list[AxisRun | Picked], tuple[Size, ...]]:
    """The part of each axis that is stored to, and the shape of what is stored."""
    if any(key is None for key in named.keys):
        raise NotExpressed("storing along a new axis")
    parts = [part for part in parts_of(array, named.keys) if part is not None]
    runs = [part.count for part in parts if isinstance(part, AxisRun)]
    return parts, (*runs[: named.at], *(axis.extent for axis in named.axes), *runs[named.at :])


def _places(
    running: Sequence[Axis], axes: Sequence[Axis], parts: Sequence[AxisRun | Picked]
) -> tuple[Node, list[Index], dict[Axis, Index]]:
    """Whether an element is stored to, at which index of the value, and at which turns of which loops."""
    condition: Node = Literal(1)
    inner: list[Index] = []
    loops: dict[Axis, Index] = {}
    for axis, part in zip(axes, parts, strict=True):
        here = Size.of(axis)
        if isinstance(part, Picked):
            met = _met(part.index, here, running, loops)
        else:
            inner.append(over(here - part.first, Size.of(part.step)) if part.step > 0 else part.first - here)
            met = _inside(here, part)
        condition = both(condition, met)
    return condition, inner, loops


def _fitting(tracer: Tracer, value: Array, shape: tuple[Size, ...]) -> Array:
    """A value that broadcasts to a shape, without the axes of one that it has before those."""
    more = max(0, len(value.axes) - len(shape))
    wide = broadcast([shape, value.shape[more:]])
    if any(extent != ONE for extent in value.shape[:more]) or len(wide) != len(shape):
        raise NotExpressed("what is stored has another shape than where it is stored")
    for one, other in zip(wide, shape, strict=True):
        check_equal(one, other, "what is stored has another shape than where it is stored")
    if not more:
        return value
    return tracer.array(value.shape[more:], lambda index: value.at([Size()] * more + list(index)))


def _all_turns(tracer: Tracer, op: str, value: Node, turns: Sequence[Axis]) -> Node:
    """What all turns of some loops add up to."""
    if not turns:
        return value
    return _kept_outside(tracer, Fold("prod" if op == "*" else "sum", tuple(turns), value), turns)


def taken(op: str, old: Node, new: Node) -> Node:
    """`new`, or what `op` makes of the old value and it."""
    return binary(op, old, new) if op else new


def _met(index: Index, here: Size, running: Sequence[Axis], loops: dict[Axis, Index]) -> Node:
    """Whether this element is the one; where a loop counts it, the loop is at it for exactly one index."""
    if not isinstance(index, Size):
        return Binary(number(here), index, "==")
    counted = [axis for axis in index.axes() if axis in running]
    if not counted:
        return compared("==", here, index)
    if len(counted) > 1:
        return _met_by_several(index, here, counted, loops)
    (loop,) = counted
    factor = dict(index.terms).get((loop,), 0)
    rest = index - Size.of(loop) * factor
    if not factor or loop in rest.atoms or loop in loops:
        raise NotExpressed("storing at an index that several loops make up")
    gap, step = (here - rest, factor) if factor > 0 else (rest - here, -factor)
    at = gap // step
    loops[loop] = at
    return both(_between(at, loop.extent), compared("==", gap % step, Size()))


def _met_by_several(index: Size, here: Size, counted: Sequence[Axis], loops: dict[Axis, Index]) -> Node:
    """The same where loops make up an index as digits make up a number: `y[i * m + j]`, `j` below `m`."""
    factors = {loop: _factor(index, loop) for loop in counted}
    gap = here - index
    for loop, factor in factors.items():
        gap += factor * Size.of(loop)
    stride, last = ONE, counted[0]
    while factors:
        loop = next((one for one, factor in factors.items() if factor == stride), None)
        if loop is None or loop in loops or any(axis in gap.atoms for axis in counted):
            raise NotExpressed("storing at an index that several loops make up")
        del factors[loop]
        stride, last = stride * loop.extent, loop
        loops[loop] = gap % loop.extent if factors else gap
        gap = gap // loop.extent if factors else gap
    return _between(gap, last.extent)


def _factor(index: Size, loop: Axis) -> Size:
    """What an index has for each turn of a loop."""
    total = Size()
    for atoms, factor in index.terms:
        if atoms.count(loop) == 1:
            rest = [atom for atom in atoms if atom != loop]
            total += Size(((tuple(rest), factor),))
    return total


def _between(at: Size, extent: Size) -> Node:
    """Whether an index is one of an axis of some extent."""
    if any(at == Size.of(axis) and axis.extent == extent for axis in at.axes()):
        return Literal(1)
    return both(compared(">=", at, Size()), compared("<", at, extent))


def _inside(here: Size, part: AxisRun) -> Node:
    if part.step < 0:
        if part.step != -1:
            raise NotExpressed("storing backwards in steps")
        return both(compared("<", part.first - here, part.count), compared(">=", part.first - here, Size()))
    met = _between(here - part.first, part.count * part.step)
    if part.step == 1:
        return met
    return both(met, compared("==", modulo(here - part.first, Size.of(part.step)), Size()))
