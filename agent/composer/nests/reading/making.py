"""NumPy functions that make arrays of nothing but numbers."""

from __future__ import annotations

from typing import Any

from agent.composer.expressions import Kind
from agent.composer.folding import binary, unary
from agent.composer.ir import Node
from agent.composer.nests.arrays import Array, NotExpressed, Tracer, broadcast, spread
from agent.composer.nests.kinds import as_kind, literal, truth
from agent.composer.nests.points import both, chosen, compared, number
from agent.composer.nests.reading.values import (
    Range,
    array_of,
    converted,
    element_wise,
    is_counted,
    items_of,
    kind_named,
    shape_of,
    whole,
)
from agent.composer.nests.sizes import Size


def filled(tracer: Tracer, shape: Any, fill_value: Any, dtype: Any = None) -> Array:
    """`np.full`."""
    given = array_of(tracer, fill_value if dtype is None else converted(tracer, fill_value, dtype))
    wanted = shape_of(shape)
    if broadcast([given.shape, wanted]) != wanted:
        raise NotExpressed("filling an array with values of another shape")
    return tracer.array(wanted, lambda index: spread(given, index))


def _constant(tracer: Tracer, shape: Any, value: int, kind: Kind) -> Array:
    node = literal(value, kind)
    return tracer.array(shape_of(shape), lambda _index: node)


def zeros(tracer: Tracer, shape: Any, dtype: Any = None) -> Array:
    """`np.zeros`, and `np.empty`, whose elements no reference may read."""
    return _constant(tracer, shape, 0, kind_named(dtype))


def ones(tracer: Tracer, shape: Any, dtype: Any = None) -> Array:
    """`np.ones`."""
    return _constant(tracer, shape, 1, kind_named(dtype))


def _kind_like(array: Array, dtype: Any) -> Kind:
    return array.kind if dtype is None else kind_named(dtype)


def zeros_like(tracer: Tracer, array: Any, dtype: Any = None) -> Array:
    """`np.zeros_like` and `np.empty_like`."""
    given = array_of(tracer, array)
    return _constant(tracer, given.shape, 0, _kind_like(given, dtype))


def ones_like(tracer: Tracer, array: Any, dtype: Any = None) -> Array:
    """`np.ones_like`."""
    given = array_of(tracer, array)
    return _constant(tracer, given.shape, 1, _kind_like(given, dtype))


def full_like(tracer: Tracer, array: Any, fill_value: Any, dtype: Any = None) -> Array:
    """`np.full_like`: the value becomes one of the array's kind."""
    given = array_of(tracer, array)
    kind = _kind_like(given, dtype)
    return filled(tracer, given.shape, element_wise(tracer, lambda x: as_kind(x, kind), fill_value))


def arange(tracer: Tracer, *limits: Any, dtype: Any = None) -> Array:
    """`np.arange` of whole numbers."""
    array = array_of(tracer, span(tracer, *limits))
    return array if dtype is None else converted(tracer, array, dtype)


def span(tracer: Tracer, *limits: Any) -> Range:
    """`range`."""
    if not 1 <= len(limits) <= 3 or not all(is_counted(one) for one in limits):
        raise NotExpressed("a range of what is no whole number")
    first = whole(limits[0]) if len(limits) > 1 else Size()
    end, by = whole(limits[min(1, len(limits) - 1)]), whole(limits[2]) if len(limits) == 3 else Size.of(1)
    step = by.constant
    if step is None:
        raise NotExpressed("a range whose step is a size")
    if step == 0:
        raise NotExpressed("a range of step 0")
    count = (end - first + (step - 1)) // step if step > 0 else (first - end + (-step - 1)) // -step
    return Range(first, step, Size() if count.constant is not None and count.constant < 0 else count)


def linspace(
    tracer: Tracer, start: Any, stop: Any, num: Any = 50, endpoint: bool = True, *, dtype: Any = None
) -> Array:
    """`np.linspace` of a counted number of points."""
    count = whole(num)
    gaps = count - 1 if endpoint else count
    if not gaps.terms:
        raise NotExpressed("np.linspace of one point")
    index = tracer.array([count], lambda at: number(at[0]))

    def element(at: Node, first: Node, last: Node) -> Node:
        share = binary("/", unary("real", at), unary("real", number(gaps)))
        return binary("+", first, binary("*", share, binary("-", last, first)))

    if array_of(tracer, start).axes or array_of(tracer, stop).axes:
        raise NotExpressed("np.linspace between arrays")
    points = element_wise(tracer, element, index, start, stop)
    return points if dtype is None else converted(tracer, points, dtype)


def eye(tracer: Tracer, rows: Any, columns: Any = None, k: Any = 0, dtype: Any = None) -> Array:
    """`np.eye`."""
    shape = (whole(rows), whole(rows if columns is None else columns))
    shift, kind = whole(k), kind_named(dtype)
    one, zero = literal(1, kind), literal(0, kind)
    return tracer.array(shape, lambda at: chosen(compared("==", at[0] + shift, at[1]), one, zero))


def identity(tracer: Tracer, rows: Any, dtype: Any = None) -> Array:
    """`np.identity`."""
    return eye(tracer, rows, dtype=dtype)


def lower(tracer: Tracer, array: Any, k: Any = 0) -> Array:
    """`np.tril`."""
    return _triangle(tracer, array, whole(k), is_lower=True)


def upper(tracer: Tracer, array: Any, k: Any = 0) -> Array:
    """`np.triu`."""
    return _triangle(tracer, array, whole(k), is_lower=False)


def _triangle(tracer: Tracer, array: Any, shift: Size, *, is_lower: bool) -> Array:
    given = array_of(tracer, array)
    if len(given.axes) < 2:
        raise NotExpressed("the triangle of what is no matrix")

    def element(at: tuple[Size, ...]) -> Node:
        row, column = at[-2] + shift, at[-1]
        kept = compared(">=", row, column) if is_lower else compared(">=", column, row)
        if given.kind is Kind.BOOL:
            return as_kind(both(kept, truth(given.at(at))), Kind.BOOL)
        return chosen(kept, given.at(at), literal(0, given.kind))

    return tracer.array(given.shape, element)


def triangle_of_ones(tracer: Tracer, rows: Any, columns: Any = None, k: Any = 0, dtype: Any = None) -> Array:
    """`np.tri`."""
    shape = (whole(rows), whole(rows if columns is None else columns))
    return lower(tracer, ones(tracer, shape, dtype), k)


def meshgrid(tracer: Tracer, *arrays: Any, indexing: str = "xy", sparse: bool = False) -> list[Array]:
    """`np.meshgrid`."""
    given = [array_of(tracer, one) for one in arrays]
    if sparse or any(len(one.axes) != 1 for one in given):
        raise NotExpressed("np.meshgrid of anything but vectors, or sparse")
    order = list(range(len(given)))
    if indexing == "xy" and len(order) > 1:
        order[0], order[1] = 1, 0
    shape = [given[at].shape[0] for at in order]

    def spread_along(at: int) -> Array:
        return tracer.array(shape, lambda index: given[at].at([index[order.index(at)]]))

    return [spread_along(at) for at in range(len(given))]


def indices_of(tracer: Tracer, shape: Any) -> list[Array]:
    """`np.indices`, unpacked axis by axis."""
    extents = [whole(one) for one in items_of(shape)]
    return meshgrid(tracer, *(Range(Size(), 1, extent) for extent in extents), indexing="ij")


MAKING: dict[str, Any] = {
    "full": filled, "zeros": zeros, "empty": zeros, "ones": ones, "zeros_like": zeros_like, "empty_like": zeros_like,
    "ones_like": ones_like, "full_like": full_like, "arange": arange, "linspace": linspace, "eye": eye,
    "identity": identity, "tril": lower, "triu": upper, "tri": triangle_of_ones, "meshgrid": meshgrid,
    "indices": indices_of,
}  # fmt: skip
