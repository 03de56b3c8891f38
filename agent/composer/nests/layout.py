"""NumPy functions that make arrays and move their elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.composer.expressions import Kind
from agent.composer.ir import Literal, Node
from agent.composer.nests.arrays import Array, NotExpressed, Tracer, as_array, broadcast, element_wise, spread
from agent.composer.nests.functions import (
    Range,
    array_of,
    axes_named,
    converted,
    items_of,
    kind_named,
    shape_of,
    stacked,
)
from agent.composer.nests.points import both, chosen, compared, guarded, number
from agent.composer.nests.sizes import ONE, Size, product


def filled(tracer: Tracer, shape: Any, value: Any, dtype: Any = None, **_: Any) -> Array:
    """`np.full`."""
    given = as_array(value if dtype is None else converted(tracer, value, dtype))
    return tracer.array(shape_of(shape), lambda index: spread(given, index) if given.axes else given.body)


def zeros(tracer: Tracer, shape: Any, dtype: Any = float, **_: Any) -> Array:
    """`np.zeros`, and `np.empty`, whose elements no reference may read."""
    return filled(tracer, shape, _neutral(0, dtype))


def ones(tracer: Tracer, shape: Any, dtype: Any = float, **_: Any) -> Array:
    """`np.ones`."""
    return filled(tracer, shape, _neutral(1, dtype))


def _neutral(value: int, dtype: Any) -> int | float:
    return float(value) if kind_named(dtype) is Kind.REAL else value


def _like(value: float) -> Any:
    def like(tracer: Tracer, array: Any, fill: Any = value, dtype: Any = None, **_: Any) -> Array:
        given = array_of(tracer, array)
        kind = given.kind if dtype is None else kind_named(dtype)
        fill = float(fill) if kind is Kind.REAL and isinstance(fill, int) else fill
        return filled(tracer, given.shape, fill)

    return like


def arange(tracer: Tracer, *limits: Any, dtype: Any = None, **_: Any) -> Array:
    """`np.arange` of whole numbers."""
    array = array_of(tracer, span(tracer, *limits))
    return array if dtype is None else converted(tracer, array, dtype)


def span(tracer: Tracer, *limits: Any) -> Range:
    """`range`."""
    if not 1 <= len(limits) <= 3 or not all(isinstance(one, int | Size) for one in limits):
        raise NotExpressed("a range of what is no whole number")
    first = Size.of(limits[0]) if len(limits) > 1 else Size()
    end, step = Size.of(limits[min(1, len(limits) - 1)]), limits[2] if len(limits) == 3 else 1
    if isinstance(step, Size):
        raise NotExpressed("a range whose step is a size")
    if step == 0:
        raise NotExpressed("a range of step 0")
    count = (end - first + (step - 1)) // step if step > 0 else (first - end + (-step - 1)) // -step
    return Range(first, step, count)


def linspace(tracer: Tracer, start: Any, stop: Any, num: Any = 50, endpoint: bool = True, **_: Any) -> Array:
    """`np.linspace` of a counted number of points."""
    (count,) = shape_of(num)
    gaps = count - 1 if endpoint else count
    index = tracer.array([count], lambda at: number(at[0]))

    def element(at: Node, first: Node, last: Node) -> Node:
        from agent.composer.folding import binary, unary

        share = binary("/", unary("real", at), unary("real", number(gaps)))
        return binary("+", first, binary("*", share, binary("-", last, first)))

    return element_wise(tracer, element, index, start, stop)


def eye(tracer: Tracer, rows: Any, columns: Any = None, k: int = 0, dtype: Any = float, **_: Any) -> Array:
    """`np.eye`."""
    shape = (*shape_of(rows), *shape_of(rows if columns is None else columns))
    one, zero = Literal(_neutral(1, dtype)), Literal(_neutral(0, dtype))
    return tracer.array(shape, lambda at: chosen(compared("==", at[0] + k, at[1]), one, zero))


def triangle(tracer: Tracer, array: Any, k: int = 0, *, lower: bool = True) -> Array:
    """`np.tril`; with `lower` False, `np.triu`."""
    given = array_of(tracer, array)
    zero = Literal(0.0 if given.kind is Kind.REAL else 0)

    def element(at: tuple[Size, ...]) -> Node:
        row, column = at[-2] + k, at[-1]
        kept = compared(">=", row, column) if lower else compared(">=", column, row)
        return chosen(kept, given.at(at), zero)

    return tracer.array(given.shape, element)


def reshape(tracer: Tracer, array: Any, *shape: Any, **_: Any) -> Array:
    """`np.reshape`."""
    given = array_of(tracer, array)
    wanted = list(shape_of(shape[0] if len(shape) == 1 else shape))
    total = product(given.shape)
    unknown = [at for at, size in enumerate(wanted) if size.constant == -1]
    if unknown:
        rest = product(tuple(size for size in wanted if size.constant != -1))
        wanted[unknown[0]] = total // rest
    if product(tuple(wanted)) != total:
        raise NotExpressed("a reshape to another number of elements")

    def element(index: tuple[Size, ...]) -> Node:
        flat = Size()
        for at, extent in zip(index, wanted, strict=True):
            flat = flat * extent + at
        own: list[Size] = []
        for position in range(len(given.axes) - 1, -1, -1):
            extent = given.shape[position]
            own.append(flat % extent if position else flat)
            flat = flat // extent
        return given.at(own[::-1])

    return tracer.array(wanted, element, base=given)


def transpose(tracer: Tracer, array: Any, *axes: Any) -> Array:
    """`np.transpose`."""
    given = array_of(tracer, array)
    chosen_axes = axes[0] if len(axes) == 1 else axes
    order = axes_named(chosen_axes, len(given.axes)) if chosen_axes else list(range(len(given.axes)))[::-1]
    return permuted(tracer, given, order)


def permuted(tracer: Tracer, array: Array, order: Sequence[int]) -> Array:
    """The axes in another order."""
    return tracer.array(
        [array.shape[at] for at in order],
        lambda index: array.at([index[order.index(at)] for at in range(len(order))]),
        base=array,
    )


def swapaxes(tracer: Tracer, array: Any, first: int, second: int) -> Array:
    """`np.swapaxes`."""
    given = array_of(tracer, array)
    order = list(range(len(given.axes)))
    one, other = axes_named((first, second), len(order))
    order[one], order[other] = order[other], order[one]
    return permuted(tracer, given, order)


def moveaxis(tracer: Tracer, array: Any, source: Any, destination: Any) -> Array:
    """`np.moveaxis`."""
    given = array_of(tracer, array)
    rank = len(given.axes)
    taken, put = axes_named(source, rank), axes_named(destination, rank)
    order = [axis for axis in range(rank) if axis not in taken]
    for place, axis in sorted(zip(put, taken, strict=True)):
        order.insert(place, axis)
    return permuted(tracer, given, order)


def expand_dims(tracer: Tracer, array: Any, axis: Any) -> Array:
    """`np.expand_dims`."""
    given = array_of(tracer, array)
    count = 1 if isinstance(axis, int) else len(items_of(axis))
    new = axes_named(axis, len(given.axes) + count)
    shape, rest = list[Size](), iter(given.shape)
    for at in range(len(given.axes) + count):
        shape.append(ONE if at in new else next(rest))
    return tracer.array(
        shape, lambda index: given.at([one for at, one in enumerate(index) if at not in new]), base=given
    )


def squeeze(tracer: Tracer, array: Any, axis: Any = None) -> Array:
    """`np.squeeze`."""
    given = array_of(tracer, array)
    gone = (
        [at for at, size in enumerate(given.shape) if size == ONE]
        if axis is None
        else axes_named(axis, len(given.axes))
    )
    kept = [at for at in range(len(given.axes)) if at not in gone]

    def element(index: tuple[Size, ...]) -> Node:
        own = [Size()] * len(given.axes)
        for at, one in zip(kept, index, strict=True):
            own[at] = one
        return given.at(own)

    return tracer.array([given.shape[at] for at in kept], element, base=given)


def broadcast_to(tracer: Tracer, array: Any, shape: Any) -> Array:
    """`np.broadcast_to`."""
    given, wanted = array_of(tracer, array), shape_of(shape)
    if broadcast([given.shape, wanted]) != wanted:
        raise NotExpressed("a broadcast to another shape")
    return tracer.array(wanted, lambda index: spread(given, index))


def flip(tracer: Tracer, array: Any, axis: Any = None) -> Array:
    """`np.flip`."""
    given = array_of(tracer, array)
    turned = axes_named(axis, len(given.axes))
    return tracer.array(
        given.shape,
        lambda index: given.at(
            [given.shape[at] - 1 - one if at in turned else one for at, one in enumerate(index)]
        ),
        base=given,
    )


def roll(tracer: Tracer, array: Any, shift: Any, axis: Any = None) -> Array:
    """`np.roll`."""
    given = array_of(tracer, array)
    if axis is None:
        flat = reshape(tracer, given, -1)
        return reshape(tracer, roll(tracer, flat, shift, 0), given.shape)
    along = axes_named(axis, len(given.axes))
    by = dict(zip(along, [shift] if isinstance(shift, int | Size) else items_of(shift), strict=True))

    def element(index: tuple[Size, ...]) -> Node:
        return given.at(
            [
                (one - by[at] + given.shape[at]) % given.shape[at] if at in by else one
                for at, one in enumerate(index)
            ]
        )

    return tracer.array(given.shape, element)


def repeat(tracer: Tracer, array: Any, count: Any, axis: Any = None) -> Array:
    """`np.repeat` by one number."""
    given = array_of(tracer, array)
    if axis is None:
        given, axis = reshape(tracer, given, -1), 0
    (along,) = axes_named(axis, len(given.axes))
    (times_,) = shape_of(count)
    shape = [size * times_ if at == along else size for at, size in enumerate(given.shape)]
    return tracer.array(
        shape, lambda index: given.at([one // times_ if at == along else one for at, one in enumerate(index)])
    )


def tile(tracer: Tracer, array: Any, counts: Any) -> Array:
    """`np.tile`."""
    given, times_ = array_of(tracer, array), list(shape_of(counts))
    rank = max(len(given.axes), len(times_))
    own = [ONE] * (rank - len(given.axes)) + list(given.shape)
    times_ = [ONE] * (rank - len(times_)) + times_

    def element(index: tuple[Size, ...]) -> Node:
        found = [one % size for one, size in zip(index, own, strict=True)]
        return given.at(found[rank - len(given.axes) :])

    return tracer.array([size * count for size, count in zip(own, times_, strict=True)], element)


def concatenate(tracer: Tracer, arrays: Any, axis: int = 0, **_: Any) -> Array:
    """`np.concatenate`."""
    given = [array_of(tracer, one) for one in items_of(arrays)]
    (along,) = axes_named(axis, len(given[0].axes))
    ends: list[Size] = []
    for array in given:
        ends.append((ends[-1] if ends else Size()) + array.shape[along])
    shape = [*given[0].shape[:along], ends[-1], *given[0].shape[along + 1 :]]

    def element(index: tuple[Size, ...]) -> Node:
        result: Node | None = None
        for at in range(len(given) - 1, -1, -1):
            first = ends[at - 1] if at else Size()
            inside = both(compared(">=", index[along], first), compared("<", index[along], ends[at]))
            own = [*index[:along], index[along] - first, *index[along + 1 :]]
            value = guarded(given[at].at(own), inside)
            result = value if result is None else chosen(compared("<", index[along], ends[at]), value, result)
        assert result is not None
        return result

    return tracer.array(shape, element)


def stack(tracer: Tracer, arrays: Any, axis: int = 0, **_: Any) -> Array:
    """`np.stack`."""
    return stacked(tracer, [array_of(tracer, one) for one in items_of(arrays)], axis)


def pad(
    tracer: Tracer, array: Any, width: Any, mode: str = "constant", constant_values: Any = 0, **_: Any
) -> Array:
    """`np.pad` with a constant, the edge or a reflection."""
    given = array_of(tracer, array)
    widths = _widths(width, len(given.axes))
    shape = [size + before + after for size, (before, after) in zip(given.shape, widths, strict=True)]
    outside = Literal(float(constant_values) if given.kind is Kind.REAL else constant_values)

    def element(index: tuple[Size, ...]) -> Node:
        own = [one - before for one, (before, _) in zip(index, widths, strict=True)]
        if mode == "edge":
            zero = Size()
            return given.at(
                [zero.extreme("max", (size - 1).extreme("min", one)) if before != zero or after != zero else one
                 for one, size, (before, after) in zip(own, given.shape, widths, strict=True)]
            )  # fmt: skip
        if mode == "wrap":
            return given.at([(one + size) % size for one, size in zip(own, given.shape, strict=True)])
        if mode != "constant":
            raise NotExpressed(f"np.pad with mode {mode!r}")
        inside: Node = Literal(1)
        for one, size, (before, after) in zip(own, given.shape, widths, strict=True):
            if before.terms:
                inside = both(inside, compared(">=", one, Size()))
            if after.terms:
                inside = both(inside, compared("<", one, size))
        return chosen(inside, guarded(given.at(own), inside), outside)

    return tracer.array(shape, element)


def _widths(width: Any, rank: int) -> list[tuple[Size, Size]]:
    if isinstance(width, int | Size):
        return [(Size.of(width), Size.of(width))] * rank
    items = items_of(width)
    if all(isinstance(one, int | Size) for one in items):
        return [(Size.of(items[0]), Size.of(items[-1]))] * rank
    pairs = [shape_of(one) for one in items]
    pairs = pairs * rank if len(pairs) == 1 else pairs
    if len(pairs) != rank:
        raise NotExpressed("widths for another number of axes")
    return [(pair[0], pair[-1]) for pair in pairs]


def windows(tracer: Tracer, array: Any, window: Any, axis: Any = None, **_: Any) -> Array:
    """`np.lib.stride_tricks.sliding_window_view`."""
    given, sizes = array_of(tracer, array), shape_of(window)
    along = axes_named(axis, len(given.axes))
    by = dict(zip(along, sizes, strict=True))
    shape = [size - by[at] + 1 if at in by else size for at, size in enumerate(given.shape)]

    def element(index: tuple[Size, ...]) -> Node:
        inner = dict(zip(along, index[len(shape) :], strict=True))
        return given.at([index[at] + inner[at] if at in inner else index[at] for at in range(len(shape))])

    return tracer.array([*shape, *sizes], element)


def meshgrid(tracer: Tracer, *arrays: Any, indexing: str = "xy", **_: Any) -> list[Array]:
    """`np.meshgrid`."""
    given = [array_of(tracer, one) for one in arrays]
    order = list(range(len(given)))
    if indexing == "xy" and len(order) > 1:
        order[0], order[1] = 1, 0
    shape = [given[at].shape[0] for at in order]
    return [
        tracer.array(shape, lambda index, at=at, one=one: one.at([index[order.index(at)]]))
        for at, one in enumerate(given)
    ]


def split(tracer: Tracer, array: Any, count: Any, axis: int = 0) -> list[Any]:
    """`np.split` into equal parts, or at plain numbers."""
    from agent.composer.nests import indexing

    given = array_of(tracer, array)
    (along,) = axes_named(axis, len(given.axes))
    extent = given.shape[along]
    if isinstance(count, int):
        step = extent // count
        limits = [(step * at, step * (at + 1)) for at in range(count)]
    else:
        ends = [Size.of(one) for one in items_of(count)]
        limits = list(zip([Size(), *ends], [*ends, extent], strict=True))
    before = (slice(None),) * along
    return [indexing.read(tracer, given, (*before, slice(first, end))) for first, end in limits]


LAYOUT: dict[str, Any] = {
    "full": filled, "zeros": zeros, "empty": zeros, "ones": ones, "zeros_like": _like(0), "empty_like": _like(0),
    "ones_like": _like(1), "full_like": _like(0), "arange": arange, "linspace": linspace, "eye": eye,
    "identity": eye, "tril": triangle, "triu": lambda tracer, array, k=0: triangle(tracer, array, k, lower=False),
    "reshape": reshape, "ravel": lambda tracer, array, *_: reshape(tracer, array, -1), "transpose": transpose,
    "permute_dims": transpose, "swapaxes": swapaxes, "moveaxis": moveaxis, "expand_dims": expand_dims,
    "squeeze": squeeze, "broadcast_to": broadcast_to, "flip": flip,
    "flipud": lambda tracer, array: flip(tracer, array, 0), "fliplr": lambda tracer, array: flip(tracer, array, 1),
    "roll": roll, "repeat": repeat, "tile": tile, "concatenate": concatenate, "concat": concatenate, "stack": stack,
    "vstack": concatenate, "hstack": lambda tracer, arrays: concatenate(tracer, arrays, -1), "pad": pad,
    "meshgrid": meshgrid, "split": split, "array_split": split,
}  # fmt: skip
