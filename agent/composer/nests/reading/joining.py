"""NumPy functions that join arrays, repeat them, widen them, and cut them into parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.composer.ir import Literal, Node
from agent.composer.nests.arrays import Array, NotExpressed, Tracer, check_equal
from agent.composer.nests.kinds import literal, plain_value
from agent.composer.nests.points import both, chosen, compared, guarded
from agent.composer.nests.reading import indexing
from agent.composer.nests.reading.layout import expand_dims, moveaxis, reshape
from agent.composer.nests.reading.values import (
    Listed,
    array_of,
    axes_named,
    axis_named,
    is_counted,
    items_of,
    shape_of,
    stacked,
    whole,
)
from agent.composer.nests.sizes import ONE, Size


def repeat(tracer: Tracer, array: Any, repeats: Any, axis: Any = None) -> Array:
    """`np.repeat` by one number."""
    given, times_ = array_of(tracer, array), whole(repeats)
    if axis is None:
        given, axis = reshape(tracer, given, -1), 0
    along = axis_named(axis, len(given.axes))
    shape = [size * times_ if at == along else size for at, size in enumerate(given.shape)]
    return tracer.array(
        shape, lambda index: given.at([one // times_ if at == along else one for at, one in enumerate(index)])
    )


def tile(tracer: Tracer, array: Any, reps: Any) -> Array:
    """`np.tile`."""
    given, counts = array_of(tracer, array), list(shape_of(reps))
    rank = max(len(given.axes), len(counts))
    own = [ONE] * (rank - len(given.axes)) + list(given.shape)
    counts = [ONE] * (rank - len(counts)) + counts

    def element(index: tuple[Size, ...]) -> Node:
        found = [one % size for one, size in zip(index, own, strict=True)]
        return given.at(found[rank - len(given.axes) :])

    return tracer.array([size * count for size, count in zip(own, counts, strict=True)], element)


def concatenate(tracer: Tracer, arrays: Any, axis: Any = 0) -> Array:
    """`np.concatenate`."""
    given = [array_of(tracer, one) for one in items_of(arrays)]
    if not given:
        raise NotExpressed("an empty sequence")
    along = axis_named(axis, len(given[0].axes))
    _check_others(given, along)
    ends: list[Size] = []
    for array in given:
        ends.append((ends[-1] if ends else Size()) + array.shape[along])
    shape = [*given[0].shape[:along], ends[-1], *given[0].shape[along + 1 :]]
    return tracer.array(shape, lambda index: _piece(given, ends, along, index))


def _check_others(given: Sequence[Array], along: int) -> None:
    """Arrays are joined only where all their other axes are alike."""
    for array in given:
        if len(array.axes) != len(given[0].axes):
            raise NotExpressed("joining arrays of different ranks")
        for at, (one, first) in enumerate(zip(array.shape, given[0].shape, strict=True)):
            if at != along:
                check_equal(one, first, "joining arrays whose other axes differ")


def _piece(given: Sequence[Array], ends: Sequence[Size], along: int, index: tuple[Size, ...]) -> Node:
    """The element of the array that an index falls into."""
    result: Node | None = None
    for at in range(len(given) - 1, -1, -1):
        first = ends[at - 1] if at else Size()
        inside = both(compared(">=", index[along], first), compared("<", index[along], ends[at]))
        own = [*index[:along], index[along] - first, *index[along + 1 :]]
        value = guarded(given[at].at(own), inside)
        result = value if result is None else chosen(compared("<", index[along], ends[at]), value, result)
    assert result is not None, "there are arrays"
    return result


def stack(tracer: Tracer, arrays: Any, axis: Any = 0) -> Array:
    """`np.stack`."""
    if isinstance(arrays, Array | Listed):
        return moveaxis(tracer, arrays, 0, axis)
    given = [array_of(tracer, one) for one in items_of(arrays)]
    return stacked(tracer, given, axis_named(axis, len(given[0].axes) + 1 if given else 1))


def vstack(tracer: Tracer, arrays: Any) -> Array:
    """`np.vstack`: vectors are rows."""
    given = [array_of(tracer, one) for one in items_of(arrays)]
    return concatenate(tracer, [one if len(one.axes) > 1 else expand_dims(tracer, one, 0) for one in given])


def hstack(tracer: Tracer, arrays: Any) -> Array:
    """`np.hstack`."""
    given = [array_of(tracer, one) for one in items_of(arrays)]
    return concatenate(tracer, given, 1 if given and len(given[0].axes) > 1 else 0)


def column_stack(tracer: Tracer, arrays: Any) -> Array:
    """`np.column_stack`: vectors are columns."""
    given = [array_of(tracer, one) for one in items_of(arrays)]
    columns = [one if len(one.axes) > 1 else expand_dims(tracer, one, 1) for one in given]
    return concatenate(tracer, columns, 1)


def pad(
    tracer: Tracer, array: Any, pad_width: Any, mode: Any = "constant", constant_values: Any = 0
) -> Array:
    """`np.pad` with a constant, the edge, or around to the other end."""
    given = array_of(tracer, array)
    widths = _widths(pad_width, len(given.axes))
    shape = [size + before + after for size, (before, after) in zip(given.shape, widths, strict=True)]

    def moved(index: tuple[Size, ...]) -> list[Size]:
        return [one - before for one, (before, _) in zip(index, widths, strict=True)]

    match mode:
        case "edge":
            return tracer.array(shape, lambda index: given.at(_clamped(given, widths, moved(index))))
        case "wrap":
            return tracer.array(
                shape,
                lambda index: given.at(
                    [(one + size) % size for one, size in zip(moved(index), given.shape, strict=True)]
                ),
            )
        case "reflect":
            return tracer.array(shape, lambda index: given.at(_reflected(given, widths, moved(index))))
        case "constant":
            fill = plain_value(array_of(tracer, constant_values).body)
            if fill is None:
                raise NotExpressed("np.pad with a value that is no plain number")
            outside = literal(fill, given.kind)
            return tracer.array(shape, lambda index: _surrounded(given, widths, moved(index), outside))
        case _:
            raise NotExpressed(f"np.pad with mode {mode!r}")


Widths = Sequence[tuple[Size, Size]]


def _clamped(given: Array, widths: Widths, index: Sequence[Size]) -> list[Size]:
    return [
        Size().extreme("max", (size - 1).extreme("min", one)) if before.terms or after.terms else one
        for one, size, (before, after) in zip(index, given.shape, widths, strict=True)
    ]


def _reflected(given: Array, widths: Widths, index: Sequence[Size]) -> list[Size]:
    """Indices mirrored at the first and at the last element, neither of which is repeated."""
    found: list[Size] = []
    for one, size, (before, after) in zip(index, given.shape, widths, strict=True):
        inner = one.extreme("max", -one) if before.terms else one
        found.append(inner.extreme("min", (size - 1) * 2 - inner) if after.terms else inner)
    return found


def _surrounded(given: Array, widths: Widths, index: Sequence[Size], outside: Node) -> Node:
    inside: Node = Literal(1)
    for one, size, (before, after) in zip(index, given.shape, widths, strict=True):
        if before.terms:
            inside = both(inside, compared(">=", one, Size()))
        if after.terms:
            inside = both(inside, compared("<", one, size))
    return chosen(inside, guarded(given.at(index), inside), outside)


def _widths(width: Any, rank: int) -> list[tuple[Size, Size]]:
    if is_counted(width):
        return [(Size.of(width), Size.of(width))] * rank
    items = items_of(width)
    if not items or (len(items) > 2 and all(is_counted(one) for one in items)):
        raise NotExpressed("widths that are no pairs")
    if all(is_counted(one) for one in items):
        return [(whole(items[0]), whole(items[-1]))] * rank
    pairs = [shape_of(one) for one in items]
    pairs = pairs * rank if len(pairs) == 1 else pairs
    if len(pairs) != rank:
        raise NotExpressed("widths for another number of axes")
    return [(pair[0], pair[-1]) for pair in pairs]


def windows(tracer: Tracer, array: Any, window_shape: Any, axis: Any = None) -> Array:
    """`np.lib.stride_tricks.sliding_window_view`."""
    given, sizes = array_of(tracer, array), shape_of(window_shape)
    along = axes_named(axis, len(given.axes))
    by = dict(zip(along, sizes, strict=True))
    shape = [size - by[at] + 1 if at in by else size for at, size in enumerate(given.shape)]

    def element(index: tuple[Size, ...]) -> Node:
        inner = dict(zip(along, index[len(shape) :], strict=True))
        return given.at([index[at] + inner[at] if at in inner else index[at] for at in range(len(shape))])

    return tracer.array([*shape, *sizes], element, base=given)


def split(tracer: Tracer, array: Any, parts: Any, axis: Any = 0) -> list[Array]:
    """`np.split` into equal parts, or at plain numbers."""
    given = array_of(tracer, array)
    along = axis_named(axis, len(given.axes))
    extent = given.shape[along]
    if isinstance(parts, int):
        step = extent // parts
        check_equal(step * parts, extent, f"a split into {parts} parts that are not equal for all sizes")
        limits = [(step * at, step * (at + 1)) for at in range(parts)]
    else:
        ends = [whole(one) for one in items_of(parts)]
        limits = list(zip([Size(), *ends], [*ends, extent], strict=True))
    before = (slice(None),) * along
    return [indexing.read(tracer, given, (*before, slice(first, end))) for first, end in limits]


JOINING: dict[str, Any] = {
    "repeat": repeat, "tile": tile, "concatenate": concatenate, "concat": concatenate, "stack": stack,
    "vstack": vstack, "hstack": hstack, "column_stack": column_stack, "pad": pad, "split": split,
    "array_split": split, "sliding_window_view": windows,
}  # fmt: skip
