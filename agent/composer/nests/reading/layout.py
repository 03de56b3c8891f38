"""NumPy functions that move the elements of an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.composer.ir import Node
from agent.composer.nests.arrays import Array, NotExpressed, Tracer, broadcast, check_equal, spread
from agent.composer.nests.reading.values import (
    array_of,
    axes_named,
    axis_named,
    is_counted,
    items_of,
    shape_of,
    whole,
)
from agent.composer.nests.sizes import ONE, Size, flattened, product, unflattened


def reshape(tracer: Tracer, array: Any, *shape: Any, order: Any = "C") -> Array:
    """`np.reshape`."""
    if order != "C":
        raise NotExpressed("a reshape in another order than C's")
    given = array_of(tracer, array)
    wanted = list(shape_of(shape[0] if len(shape) == 1 else shape))
    total = product(given.shape)
    unknown = [at for at, size in enumerate(wanted) if size.constant == -1]
    if unknown:
        rest = product(size for size in wanted if size.constant != -1)
        wanted[unknown[0]] = total // rest
    check_equal(product(wanted), total, "a reshape to another number of elements")

    def element(index: tuple[Size, ...]) -> Node:
        return given.at(unflattened(flattened(index, wanted), given.shape))

    return tracer.array(wanted, element, base=given)


def ravel(tracer: Tracer, array: Any, order: Any = "C") -> Array:
    """`np.ravel`."""
    return reshape(tracer, array, -1, order=order)


def transpose(tracer: Tracer, array: Any, *order: Any, axes: Any = None) -> Array:
    """`np.transpose`."""
    given = array_of(tracer, array)
    rank = len(given.axes)
    wanted = (order[0] if len(order) == 1 else order) if order else axes
    if wanted is None:
        return permuted(tracer, given, list(range(rank))[::-1])
    named = axes_named(wanted, rank)
    if len(named) != rank:
        raise NotExpressed("a transpose of some of the axes")
    return permuted(tracer, given, named)


def permuted(tracer: Tracer, array: Array, order: Sequence[int]) -> Array:
    """The axes in another order."""
    return tracer.array(
        [array.shape[at] for at in order],
        lambda index: array.at([index[order.index(at)] for at in range(len(order))]),
        base=array,
    )


def swapaxes(tracer: Tracer, array: Any, first: Any, second: Any) -> Array:
    """`np.swapaxes`."""
    given = array_of(tracer, array)
    order = list(range(len(given.axes)))
    one, other = axis_named(first, len(order)), axis_named(second, len(order))
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
    rank = len(given.axes) + (1 if isinstance(axis, int) else len(items_of(axis)))
    new = axes_named(axis, rank)
    shape, rest = list[Size](), iter(given.shape)
    for at in range(rank):
        shape.append(ONE if at in new else next(rest))
    return tracer.array(
        shape, lambda index: given.at([one for at, one in enumerate(index) if at not in new]), base=given
    )


def squeeze(tracer: Tracer, array: Any, axis: Any = None) -> Array:
    """`np.squeeze`."""
    given = array_of(tracer, array)
    single = [at for at, size in enumerate(given.shape) if size == ONE]
    gone = single if axis is None else axes_named(axis, len(given.axes))
    if not set(gone) <= set(single):
        raise NotExpressed("squeezing an axis of more than one element")
    kept = [at for at in range(len(given.axes)) if at not in gone]

    def element(index: tuple[Size, ...]) -> Node:
        own = [Size()] * len(given.axes)
        for at, one in zip(kept, index, strict=True):
            own[at] = one
        return given.at(own)

    return tracer.array([given.shape[at] for at in kept], element, base=given)


def item(tracer: Tracer, array: Any) -> Array:
    """The only element of an array."""
    given = array_of(tracer, array)
    if any(extent != ONE for extent in given.shape):
        raise NotExpressed("`item` of an array of more than one element")
    return tracer.scalar(given.at([Size()] * len(given.axes)))


def broadcast_to(tracer: Tracer, array: Any, shape: Any) -> Array:
    """`np.broadcast_to`."""
    given, wanted = array_of(tracer, array), shape_of(shape)
    if broadcast([given.shape, wanted]) != wanted:
        raise NotExpressed("a broadcast to another shape")
    return tracer.array(wanted, lambda index: spread(given, index), base=given)


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


def flipud(tracer: Tracer, array: Any) -> Array:
    """`np.flipud`."""
    return flip(tracer, array, 0)


def fliplr(tracer: Tracer, array: Any) -> Array:
    """`np.fliplr`."""
    return flip(tracer, array, 1)


def roll(tracer: Tracer, array: Any, shift: Any, axis: Any = None) -> Array:
    """`np.roll`."""
    given = array_of(tracer, array)
    if axis is None:
        flat = reshape(tracer, given, -1)
        return reshape(tracer, roll(tracer, flat, shift, 0), given.shape)
    along = axes_named(axis, len(given.axes))
    shifts = [shift] * len(along) if is_counted(shift) else items_of(shift)
    if len(shifts) != len(along):
        raise NotExpressed("a roll whose shifts are not one for each axis")
    by = {at: whole(one) for at, one in zip(along, shifts, strict=True)}

    def element(index: tuple[Size, ...]) -> Node:
        return given.at(
            [
                (one - by[at] + given.shape[at]) % given.shape[at] if at in by else one
                for at, one in enumerate(index)
            ]
        )

    return tracer.array(given.shape, element)


LAYOUT: dict[str, Any] = {
    "reshape": reshape, "ravel": ravel, "transpose": transpose, "permute_dims": transpose,
    "swapaxes": swapaxes, "moveaxis": moveaxis,
    "expand_dims": expand_dims, "squeeze": squeeze, "broadcast_to": broadcast_to, "flip": flip, "flipud": flipud,
    "fliplr": fliplr, "roll": roll, "_item": item,
}  # fmt: skip
