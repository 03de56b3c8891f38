"""Reading parts of symbolic arrays, as NumPy's square brackets do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from agent.composer.expressions import Kind
from agent.composer.ir import Binary, Literal, Node
from agent.composer.nests.arrays import Array, NotExpressed, Tracer, broadcast, spread
from agent.composer.nests.points import (
    Index,
    Number,
    chosen,
    compared,
    number,
    plus,
    times,
)
from agent.composer.nests.reading.values import Listed, Range, array_of, whole
from agent.composer.nests.sizes import ONE, Axis, Extreme, Quotient, Size


@dataclass(frozen=True)
class AxisRun:
    """Elements `first`, `first + step`, ... along an axis."""

    first: Size
    step: int
    count: Size


@dataclass(frozen=True)
class Picked:
    """One element along an axis, which the result does not have."""

    index: Index


Part = AxisRun | Picked | None
"""What is taken of an axis; None for a new axis of one."""


def read(tracer: Tracer, array: Array, items: Any) -> Array:
    """`array[items]`."""
    keys = keys_of(tracer, array, items)
    if any(isinstance(key, Array) and key.axes for key in keys):
        return _gathered(tracer, array, keys)
    parts = parts_of(array, keys)
    shape = [ONE if part is None else part.count for part in parts if not isinstance(part, Picked)]
    is_element = bool(parts) and all(isinstance(part, Picked) for part in parts)
    return tracer.array(
        shape, lambda index: array.at(_indices(parts, index)), base=None if is_element else array
    )


def _indices(parts: Sequence[Part], index: Sequence[Index]) -> list[Index]:
    found: list[Index] = []
    position = 0
    for part in parts:
        if isinstance(part, Picked):
            found.append(part.index)
            continue
        if part is not None:
            found.append(plus(part.first, times(index[position], Size.of(part.step))))
        position += 1
    return found


def keys_of(tracer: Tracer, array: Array, items: Any) -> list[Any]:
    """One key for each axis and each new axis; sequences of indices are arrays."""
    given: list[Any] = list(cast("tuple[Any, ...]", items)) if isinstance(items, tuple) else [items]
    keys = [array_of(tracer, key) if isinstance(key, list | tuple | Range | Listed) else key for key in given]
    used = sum(key is not None and key is not Ellipsis for key in keys)
    missing = len(array.axes) - used
    if missing < 0:
        raise NotExpressed("more indices than axes")
    if Ellipsis not in [key for key in keys if not isinstance(key, Array | Size)]:
        keys.append(Ellipsis)
    at = next(place for place, key in enumerate(keys) if key is Ellipsis)
    return [*keys[:at], *[slice(None)] * missing, *keys[at + 1 :]]


def parts_of(array: Array, keys: Sequence[Any]) -> list[Part]:
    """What each key takes of its axis."""
    axes = iter(array.axes)
    return [None if key is None else _part(next(axes), key) for key in keys]


def _part(axis: Axis, key: Any) -> AxisRun | Picked:
    if isinstance(key, slice):
        return _run(axis.extent, cast("slice[Any, Any, Any]", key))
    if isinstance(key, Array):
        if key.kind is not Kind.INTEGER:
            raise NotExpressed("an index that is no integer")
        return Picked(wrapped(key.body, axis.extent))
    if isinstance(key, bool) or not isinstance(key, int | Size):
        raise NotExpressed(f"an index of type {type(key).__name__}")
    return Picked(_counted(key, axis.extent))


def wrapped(node: Node, extent: Size) -> Index:
    """An index that is read from memory; negative ones count from the end."""
    if isinstance(node, Number):
        return _counted(node.value, extent)
    if isinstance(node, Literal):
        return _counted(whole(node.value), extent)
    below = Binary(node, Literal(0), "<")
    return chosen(below, Binary(node, number(extent), "+"), node)


def _counted(index: int | Size, extent: Size) -> Size:
    """An index counted from the first element; negative ones count from the end."""
    size = Size.of(index)
    if size.terms and all(factor < 0 for _, factor in size.terms):
        return extent + size
    return (size + extent) % extent if _may_be_negative(size) else size


def _may_be_negative(size: Size) -> bool:
    """Whether an index that a loop or an axis counts is below 0 at times, as far as that can be told."""
    if not any(True for _ in size.axes()) or compared(">=", size, Size()) == Literal(1):
        return False
    return any(factor < 0 or any(map(_is_signed, atoms)) for atoms, factor in size.terms)


def _is_signed(atom: object) -> bool:
    match atom:
        case Quotient(over=over_):
            return _may_be_negative(over_)
        case Extreme(op=op, left=left, right=right):
            signs = [_may_be_negative(left), _may_be_negative(right)]
            return all(signs) if op == "max" else any(signs)
        case _:
            return False


def _limit(value: Any, extent: Size) -> Size:
    """A limit of a slice, counted from the first element."""
    size = whole(value)
    if not (size.terms and all(factor < 0 for _, factor in size.terms)) and _may_be_negative(size):
        raise NotExpressed("a slice with a limit that may be negative at some turns of a loop")
    return _counted(size, extent)


def _run(extent: Size, key: slice[Any, Any, Any]) -> AxisRun:
    step = 1 if key.step is None else key.step
    if not isinstance(step, int) or step == 0:
        raise NotExpressed("a slice whose step is no plain number")
    if step > 0:
        first = Size() if key.start is None else _within(_limit(key.start, extent), extent)
        end = extent if key.stop is None else _within(_limit(key.stop, extent), extent)
        return AxisRun(first, step, _at_least_none((end - first + (step - 1)) // step))
    first = extent - 1 if key.start is None else _within(_limit(key.start, extent), extent - 1)
    end = Size.of(-1) if key.stop is None else _limit(key.stop, extent)
    return AxisRun(first, step, _at_least_none((first - end + (-step - 1)) // -step))


def _within(limit: Size, most: Size) -> Size:
    """A limit cut to the end of its axis, and to its first element, where it is known to be beyond."""
    beyond = (limit - most).constant
    if beyond is not None and beyond > 0:
        return most
    return Size() if (known := limit.constant) is not None and known < 0 else limit


def _at_least_none(count: Size) -> Size:
    return Size() if count.constant is not None and count.constant < 0 else count


def _gathered(tracer: Tracer, array: Array, keys: Sequence[Any]) -> Array:
    """Indexing with arrays of indices, which are broadcast together and take the place of the first of them.

    Where something stands between them they come first; a number beside them counts as one of them.
    """
    arrays = [key for key in keys if isinstance(key, Array)]
    if any(key.kind is Kind.BOOL for key in arrays):
        raise NotExpressed(
            "selecting by a mask: how many elements there are depends on the data; use np.where"
        )
    if any(key.kind is Kind.REAL for key in arrays):
        raise NotExpressed("an index that is no integer")
    common = broadcast([key.shape for key in arrays])
    plain = [slice(None) if isinstance(key, Array) else key for key in keys]
    parts = parts_of(array, plain)
    places = [place for place, key in enumerate(keys) if isinstance(key, Array | Size | int)]
    joined = places == list(range(places[0], places[-1] + 1))
    before = [part for part in parts[: places[0]] if not isinstance(part, Picked)] if joined else []
    rest = [
        part for place, part in enumerate(parts)
        if place not in places and not isinstance(part, Picked) and place >= (places[0] if joined else 0)
    ]  # fmt: skip
    shape = [*(_count(part) for part in before), *common, *(_count(part) for part in rest)]

    def element(index: tuple[Size, ...]) -> Node:
        shared = index[len(before) : len(before) + len(common)]
        others = iter((*index[: len(before)], *index[len(before) + len(common) :]))
        found: list[Index] = []
        axes = iter(array.axes)
        for key, part in zip(keys, parts, strict=True):
            if part is None:
                next(others)
                continue
            axis = next(axes)
            if isinstance(key, Array):
                found.append(wrapped(spread(key, shared), axis.extent))
            elif isinstance(part, Picked):
                found.append(part.index)
            else:
                found.append(plus(part.first, times(next(others), Size.of(part.step))))
        return array.at(found)

    return tracer.array(shape, element)


def _count(part: Part) -> Size:
    return part.count if isinstance(part, AxisRun) else ONE
