"""NumPy functions that reduce axes, and what is made of such reductions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.composer.expressions import Kind
from agent.composer.folding import binary, unary
from agent.composer.ir import Binary, Literal, Node
from agent.composer.nests.arrays import Array, NotExpressed, Tracer
from agent.composer.nests.kinds import as_kind, literal, truth
from agent.composer.nests.points import chosen, kind_of, number
from agent.composer.nests.reading import selecting
from agent.composer.nests.reading.layout import reshape, squeeze
from agent.composer.nests.reading.values import (
    Listed,
    Selected,
    array_of,
    axes_named,
    axis_named,
    converted,
    element_wise,
    is_counted,
    is_number,
    items_of,
    kind_named,
    simplest,
    whole,
)
from agent.composer.nests.sizes import Size, product

Reduction = Callable[..., Array]
_JOINED = {"sum": "+", "prod": "*", "max": "max", "min": "min"}


def added(left: Node, right: Node) -> Node:
    """`left + right`."""
    return binary("+", left, right)


def less(left: Node, right: Node) -> Node:
    """`left - right`."""
    return binary("-", left, right)


def times(left: Node, right: Node) -> Node:
    """`left * right`."""
    return binary("*", left, right)


def divided(left: Node, right: Node) -> Node:
    """`left / right`."""
    return binary("/", left, right)


def squared(value: Node) -> Node:
    """`value * value`."""
    return binary("*", value, value)


def _reduction(op: str) -> Reduction:
    def reduction(
        tracer: Tracer, array: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False,
        **words: Any,
    ) -> Array:  # fmt: skip
        given = array_of(tracer, array)
        if dtype is not None:
            given = converted(tracer, given, dtype)
        initial, where = words.pop("initial", None), words.pop("where", None)
        if words.pop("out", None) is not None or words:
            raise NotExpressed(f"`out` and the like of a {op}")
        if where is not None:
            given = _chosen_only(tracer, op, given, where)
        result = tracer.folded(op, given, axes_named(axis, len(given.axes)), keepdims=keepdims)
        if initial is None:
            return result
        return element_wise(tracer, lambda x, y: binary(_JOINED[op], x, y), result, initial)

    return reduction


def _chosen_only(tracer: Tracer, op: str, given: Array, where: Any) -> Array:
    """The elements that count, and what changes nothing elsewhere."""
    if op not in ("sum", "prod"):
        raise NotExpressed(f"`where` of a {op}")
    neutral = literal(0 if op == "sum" else 1, max(given.kind, Kind.INTEGER))
    return element_wise(tracer, lambda met, x: chosen(truth(met), x, neutral), where, given)


total, largest, least = _reduction("sum"), _reduction("max"), _reduction("min")


def _ones(tracer: Tracer, array: Array) -> Array:
    """1 where an element is not 0."""
    return element_wise(tracer, lambda x: chosen(truth(x), Literal(1), Literal(0)), array)


def _whether(op: str) -> Reduction:
    def whether(tracer: Tracer, array: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
        given = array_of(tracer, array)
        found = tracer.folded(op, _ones(tracer, given), axes_named(axis, len(given.axes)), keepdims=keepdims)
        return element_wise(tracer, lambda x: Binary(x, Literal(0), "!="), found)

    return whether


def count_nonzero(tracer: Tracer, array: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """`np.count_nonzero`."""
    given = array_of(tracer, array)
    return tracer.folded("sum", _ones(tracer, given), axes_named(axis, len(given.axes)), keepdims=keepdims)


def _count(array: Array, axis: Any) -> Node:
    over = axes_named(axis, len(array.axes))
    return unary("real", number(product(array.shape[at] for at in over)))


def _must_be_real(dtype: Any) -> None:
    if dtype is not None and kind_named(dtype) is not Kind.REAL:
        raise NotExpressed("a mean or a variance in whole numbers")


def mean(tracer: Tracer, array: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Array:
    """`np.mean`."""
    _must_be_real(dtype)
    given = array_of(tracer, array)
    count = _count(given, axis)
    return element_wise(tracer, lambda x: divided(x, count), total(tracer, given, axis, keepdims=keepdims))


def average(
    tracer: Tracer, array: Any, axis: Any = None, weights: Any = None, *, keepdims: bool = False
) -> Array:
    """`np.average`; weights along one axis may be a vector."""
    if weights is None:
        return mean(tracer, array, axis, keepdims=keepdims)
    given, weight = array_of(tracer, array), array_of(tracer, weights)
    if weight.shape != given.shape:
        along = axis_named(axis, len(given.axes))
        if len(weight.axes) != 1 or weight.shape[0] != given.shape[along]:
            raise NotExpressed("np.average with weights of another shape")
        vector = weight
        weight = tracer.array(given.shape, lambda index: vector.at([index[along]]))
    parts = total(tracer, element_wise(tracer, times, given, weight), axis, keepdims=keepdims)
    return element_wise(tracer, divided, parts, total(tracer, weight, axis, keepdims=keepdims))


def var(
    tracer: Tracer, array: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, **words: Any
) -> Array:
    """`np.var`, about the mean; `ddof` or `correction` is taken off the count."""
    _must_be_real(dtype)
    off = words.pop("correction", words.pop("ddof", 0))
    if words:
        raise NotExpressed(f"`{next(iter(words))}` of a variance")
    given = array_of(tracer, array)
    centre = mean(tracer, given, axis, keepdims=True)
    square = element_wise(tracer, lambda x, m: squared(less(x, m)), given, centre)
    count = binary("-", _count(given, axis), unary("real", number(whole(off))))
    return element_wise(tracer, lambda x: divided(x, count), total(tracer, square, axis, keepdims=keepdims))


def std(tracer: Tracer, array: Any, axis: Any = None, dtype: Any = None, **words: Any) -> Array:
    """`np.std`."""
    return element_wise(tracer, lambda x: unary("sqrt", x), var(tracer, array, axis, dtype, **words))


def _position(op: str) -> Reduction:
    """`np.argmax` and `np.argmin`: the first place where the extreme stands."""

    def position(tracer: Tracer, array: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
        given = array_of(tracer, array)
        if axis is None:
            if keepdims and len(given.axes) > 1:
                raise NotExpressed("`keepdims` of a position among all elements")
            given, axis = reshape(tracer, given, -1), 0
        along = axis_named(axis, len(given.axes))
        best = tracer.folded(op, given, [along], keepdims=True)
        extent = number(given.shape[along])

        def element(index: tuple[Size, ...]) -> Node:
            top = best.at([Size() if at == along else one for at, one in enumerate(index)])
            return chosen(Binary(given.at(index), top, "=="), number(index[along]), extent)

        return tracer.folded("min", tracer.array(given.shape, element), [along], keepdims=keepdims)

    return position


def norm(tracer: Tracer, array: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """`np.linalg.norm` of vectors, and Frobenius' of matrices."""
    given = array_of(tracer, array)
    rank = len(given.axes) if axis is None else len(axes_named(axis, len(given.axes)))
    if ord is None or (ord == "fro" and rank == 2) or (ord == 2 and rank == 1):
        square = element_wise(tracer, squared, given)
        return element_wise(
            tracer, lambda x: unary("sqrt", x), total(tracer, square, axis, keepdims=keepdims)
        )
    sizes = element_wise(tracer, lambda x: unary("abs", x), given)
    if is_number(ord) and rank == 1:
        if ord == 1:
            return total(tracer, sizes, axis, keepdims=keepdims)
        if ord == float("inf"):
            return largest(tracer, sizes, axis, keepdims=keepdims)
        if ord == float("-inf"):
            return least(tracer, sizes, axis, keepdims=keepdims)
    raise NotExpressed(f"np.linalg.norm of order {ord}")


def _shifted(tracer: Tracer, array: Array, axis: Any) -> tuple[Array, Array]:
    """The maximum along some axes, and the exponentials of what lies below it."""
    top = largest(tracer, array, axis, keepdims=True)
    return top, element_wise(tracer, lambda x, m: unary("exp", less(x, m)), array, top)


def logsumexp(tracer: Tracer, array: Any, axis: Any = None, keepdims: bool = False) -> Array:
    """`special.logsumexp`, shifted by the maximum."""
    given = array_of(tracer, array)
    top, parts = _shifted(tracer, given, axis)
    sums = total(tracer, parts, axis, keepdims=True)
    result = element_wise(tracer, lambda s, m: added(unary("log", s), m), sums, top)
    return result if keepdims else squeeze(tracer, result, tuple(axes_named(axis, len(given.axes))))


def softmax(tracer: Tracer, array: Any, axis: Any = None) -> Array:
    """`special.softmax`, shifted by the maximum."""
    _, parts = _shifted(tracer, array_of(tracer, array), axis)
    return element_wise(tracer, divided, parts, total(tracer, parts, axis, keepdims=True))


def log_softmax(tracer: Tracer, array: Any, axis: Any = None) -> Array:
    """`special.log_softmax`."""
    return element_wise(tracer, less, array, logsumexp(tracer, array, axis, keepdims=True))


def extent_between(tracer: Tracer, array: Any, axis: Any = None) -> Array:
    """`np.ptp`."""
    return element_wise(tracer, less, largest(tracer, array, axis), least(tracer, array, axis))


def largest_of(tracer: Tracer, op: str, *values: Any) -> Any:
    """Python's `max` and `min` of values or of a sequence."""
    if len(values) == 1 and isinstance(values[0], Array | Listed):
        given = array_of(tracer, values[0])
        if len(given.axes) != 1:
            raise NotExpressed(f"`{op}` of rows")
        return tracer.folded(op, given, [0])
    items = items_of(values[0]) if len(values) == 1 else list(values)
    if not items:
        raise NotExpressed(f"`{op}` of nothing")
    if all(is_number(one) for one in items):
        return (max if op == "max" else min)(items)
    if all(is_counted(one) for one in items):
        size = whole(items[0])
        for one in items[1:]:
            size = size.extreme(op, whole(one))
        return simplest(size)
    result = items[0]
    for one in items[1:]:
        result = element_wise(tracer, lambda a, b: _larger(op, a, b), result, one)
    return result


def _larger(op: str, left: Node, right: Node) -> Node:
    """The larger or the smaller of two; of truths a truth."""
    found = binary(op, left, right)
    return as_kind(found, Kind.BOOL) if max(kind_of(left), kind_of(right)) is Kind.BOOL else found


def _or_selected(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The reduction, also of what a mask has selected."""

    def reduction(tracer: Tracer, array: Any, axis: Any = None, *arguments: Any, **words: Any) -> Any:
        if isinstance(array, Selected):
            return selecting.reduced(tracer, name, array, axis, words)
        return function(tracer, array, axis, *arguments, **words)

    return reduction


_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": total, "max": largest, "amax": largest, "min": least, "amin": least, "prod": _reduction("prod"),
    "mean": mean, "average": average, "var": var, "std": std, "all": _whether("min"), "any": _whether("max"),
    "count_nonzero": count_nonzero, "argmax": _position("max"), "argmin": _position("min"), "ptp": extent_between,
}  # fmt: skip
REDUCTIONS: dict[str, Any] = {name: _or_selected(name, one) for name, one in _REDUCTIONS.items()}
