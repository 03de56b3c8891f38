"""NumPy functions whose elements depend on the order along an axis: scans, sorts, searches, and picking by index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.composer.expressions import Kind
from agent.composer.folding import binary
from agent.composer.ir import Binary, Literal, Node
from agent.composer.nests.arrays import Array, NotExpressed, Tracer, broadcast, spread
from agent.composer.nests.points import Fold, Ordered, chosen, number
from agent.composer.nests.reading import indexing, storing
from agent.composer.nests.reading.layout import reshape
from agent.composer.nests.reading.values import array_of, axis_named, converted, is_counted, whole
from agent.composer.nests.sizes import ONE, Size


def _along(tracer: Tracer, array: Array, axis: Any) -> tuple[Array, int]:
    """An array and its axis; without one, all elements in a row."""
    if axis is None:
        return reshape(tracer, array, -1), 0
    return array, axis_named(axis, len(array.axes))


def _scan(op: str) -> Callable[..., Array]:
    """A running sum and the like: what is folded over the elements up to here; a rule makes a scan of it."""

    def scan(tracer: Tracer, array: Any, axis: Any = None, dtype: Any = None) -> Array:
        given = array_of(tracer, array)
        if dtype is not None:
            given = converted(tracer, given, dtype)
        given, along = _along(tracer, given, axis)
        axes = tuple(tracer.axis(extent) for extent in given.shape)
        if given.kind is Kind.BOOL and op in ("max", "min"):
            raise NotExpressed("a running extreme of truths")
        before = tracer.axis(Size.of(axes[along]) + 1)
        here = [Size.of(before) if at == along else Size.of(one) for at, one in enumerate(axes)]
        return tracer.kept(axes, Fold(op, (before,), given.at(here)))

    return scan


def _ordered(tracer: Tracer, array: Array, along: int, *, indices: bool) -> Array:
    """The elements of an array in order along an axis, or where they stood."""
    axes, inner = tuple(tracer.axis(extent) for extent in array.shape), tracer.axis(array.shape[along])
    element = array.at([Size.of(inner if at == along else axis) for at, axis in enumerate(axes)])
    behind = len(axes) - 1 - along
    return tracer.kept(axes, Ordered("ascending", (inner,), element, indices, behind))


def argsort(tracer: Tracer, array: Any, axis: Any = -1, kind: Any = None, stable: Any = None) -> Array:
    """`np.argsort`, ties in the order they stand in."""
    given, along = _along(tracer, array_of(tracer, array), axis)
    return _ordered(tracer, given, along, indices=True)


def sort(tracer: Tracer, array: Any, axis: Any = -1, kind: Any = None, stable: Any = None) -> Array:
    """`np.sort`."""
    given, along = _along(tracer, array_of(tracer, array), axis)
    return _ordered(tracer, given, along, indices=False)


def sort_in_place(tracer: Tracer, array: Any, axis: Any = -1, kind: Any = None) -> None:
    """The method `sort`."""
    storing.write(tracer, array, Ellipsis, sort(tracer, array, axis))


def diff(tracer: Tracer, array: Any, n: int = 1, axis: Any = -1) -> Array:
    """`np.diff`."""
    given = array_of(tracer, array)
    if given.kind is Kind.BOOL:
        raise NotExpressed("np.diff of truths")
    along = axis_named(axis, len(given.axes))
    for _ in range(n):
        before = given
        shape = [size - 1 if at == along else size for at, size in enumerate(before.shape)]

        def element(index: tuple[Size, ...], before: Array = before) -> Node:
            after = [one + 1 if at == along else one for at, one in enumerate(index)]
            return binary("-", before.at(after), before.at(index))

        given = tracer.array(shape, element)
    return given


def bincount(tracer: Tracer, array: Any, weights: Any = None, minlength: Any = 0) -> Array:
    """`np.bincount` where `minlength` says how many bins there are."""
    given = array_of(tracer, array)
    bins = whole(minlength)
    if not bins.terms:
        raise NotExpressed("np.bincount without `minlength`: how many bins there are depends on the data")
    weight = None if weights is None else array_of(tracer, weights)
    inner, axis = tracer.axis(given.shape[0]), tracer.axis(bins)
    value = Literal(1) if weight is None else weight.at([Size.of(inner)])
    met = Binary(given.at([Size.of(inner)]), number(Size.of(axis)), "==")
    zero = Literal(0 if weight is None else 0.0)
    return tracer.kept((axis,), Fold("sum", (inner,), chosen(met, value, zero)))


def take(tracer: Tracer, array: Any, indices: Any, axis: Any = None) -> Array:
    """`np.take`."""
    given, along = _along(tracer, array_of(tracer, array), axis)
    wanted = indices if is_counted(indices) else array_of(tracer, indices)
    return indexing.read(tracer, given, (*(slice(None),) * along, wanted))


def take_along_axis(tracer: Tracer, array: Any, indices: Any, axis: Any = -1) -> Array:
    """`np.take_along_axis`."""
    given, where = array_of(tracer, array), array_of(tracer, indices)
    if len(given.axes) != len(where.axes):
        raise NotExpressed("np.take_along_axis of arrays of different ranks")
    along = axis_named(axis, len(given.axes))
    others = [*given.shape[:along], ONE, *given.shape[along + 1 :]]
    shape = broadcast([where.shape, tuple(others)])

    def element(index: tuple[Size, ...]) -> Node:
        place = indexing.wrapped(spread(where, index), given.shape[along])
        own = [Size() if extent == ONE else one for extent, one in zip(given.shape, index, strict=True)]
        return given.at([place if at == along else one for at, one in enumerate(own)])

    return tracer.array(shape, element)


def searchsorted(tracer: Tracer, edges: Any, values: Any, side: str = "left") -> Array:
    """`np.searchsorted`: how many edges are below each value, or not above it."""
    if side not in ("left", "right"):
        raise NotExpressed(f"np.searchsorted with side {side!r}")
    ordered, given = array_of(tracer, edges), array_of(tracer, values)
    inner = tracer.axis(ordered.shape[0])
    axes = tuple(tracer.axis(extent) for extent in given.shape)
    value = given.at([Size.of(axis) for axis in axes])
    below = Binary(ordered.at([Size.of(inner)]), value, "<" if side == "left" else "<=")
    return tracer.kept(axes, Fold("sum", (inner,), chosen(below, Literal(1), Literal(0))))


ORDERING: dict[str, Any] = {
    "cumsum": _scan("sum"), "cumprod": _scan("prod"), "argsort": argsort, "sort": sort, "diff": diff,
    "bincount": bincount, "take": take, "take_along_axis": take_along_axis, "searchsorted": searchsorted,
}  # fmt: skip
RUNNING: dict[str, Any] = {
    "add": ORDERING["cumsum"], "multiply": ORDERING["cumprod"], "maximum": _scan("max"), "minimum": _scan("min"),
}  # fmt: skip
