"""NumPy functions that reduce axes, scan them, or order their elements."""

from __future__ import annotations

from typing import Any

from agent.composer.expressions import Kind
from agent.composer.folding import binary, unary
from agent.composer.ir import Binary, Literal, Node
from agent.composer.nests.arrays import Array, NotExpressed, Tracer, element_wise
from agent.composer.nests.functions import array_of, axes_named, items_of, kind_named
from agent.composer.nests.layout import reshape
from agent.composer.nests.points import Fold, both, chosen, compared, number
from agent.composer.nests.sizes import Size, product


def _reduction(op: str) -> Any:
    def reduction(
        tracer: Tracer, array: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False,
        initial: Any = None, where: Any = None, out: Any = None,
    ) -> Array:  # fmt: skip
        given = array_of(tracer, array)
        if dtype is not None and kind_named(dtype) is Kind.REAL:
            given = element_wise(tracer, lambda x: unary("real", x), given)
        if where is not None:
            if op not in ("sum", "prod"):
                raise NotExpressed(f"`where` of a {op}")
            neutral = Literal(0 if op == "sum" else 1)
            given = element_wise(tracer, lambda met, x: chosen(met, x, neutral), where, given)
        over = axes_named(axis, len(given.axes))
        result = tracer.folded(op, given, over, keepdims=keepdims)
        if initial is not None:
            result = element_wise(
                tracer, lambda x, y: binary("+" if op == "sum" else op, x, y), result, initial
            )
        return result

    return reduction


_sum, _largest, _least = _reduction("sum"), _reduction("max"), _reduction("min")


def _truth(op: str) -> Any:
    def truth(tracer: Tracer, array: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
        given = array_of(tracer, array)
        ones = element_wise(tracer, lambda x: chosen(_met(x, given.kind), Literal(1), Literal(0)), given)
        found = tracer.folded(op, ones, axes_named(axis, len(given.axes)), keepdims=keepdims)
        return element_wise(tracer, lambda x: Binary(x, Literal(0), "!="), found)

    return truth


def _met(node: Node, kind: Kind) -> Node:
    return node if kind is Kind.BOOL else Binary(node, Literal(0), "!=")


def count_nonzero(tracer: Tracer, array: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """`np.count_nonzero`."""
    given = array_of(tracer, array)
    ones = element_wise(tracer, lambda x: chosen(_met(x, given.kind), Literal(1), Literal(0)), given)
    return tracer.folded("sum", ones, axes_named(axis, len(given.axes)), keepdims=keepdims)


def _count(array: Array, axis: Any) -> Node:
    over = axes_named(axis, len(array.axes))
    return unary("real", number(product(tuple(array.shape[at] for at in over))))


def mean(tracer: Tracer, array: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Array:
    """`np.mean`."""
    given = array_of(tracer, array)
    total = _sum(tracer, given, axis, keepdims=keepdims)
    count = _count(given, axis)
    return element_wise(tracer, lambda x: binary("/", x, count), total)


def var(
    tracer: Tracer, array: Any, axis: Any = None, dtype: Any = None, *, ddof: Any = 0, keepdims: bool = False,
    correction: Any = None,
) -> Array:  # fmt: skip
    """`np.var`, about the mean."""
    given = array_of(tracer, array)
    centre = mean(tracer, given, axis, keepdims=True)
    square = element_wise(
        tracer, lambda x, m: binary("*", binary("-", x, m), binary("-", x, m)), given, centre
    )
    less = number(Size.of(ddof if correction is None else correction))
    count = binary("-", _count(given, axis), less)
    return element_wise(
        tracer, lambda x: binary("/", x, count), _sum(tracer, square, axis, keepdims=keepdims)
    )


def std(tracer: Tracer, array: Any, axis: Any = None, dtype: Any = None, **words: Any) -> Array:
    """`np.std`."""
    return element_wise(tracer, lambda x: unary("sqrt", x), var(tracer, array, axis, **words))


def _position(op: str) -> Any:
    def position(tracer: Tracer, array: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
        given = array_of(tracer, array)
        if axis is None:
            given, axis = reshape(tracer, given, -1), 0
        (along,) = axes_named(axis, len(given.axes))
        best = tracer.folded(op, given, [along], keepdims=True)
        extent = number(given.shape[along])

        def element(index: tuple[Size, ...]) -> Node:
            top = best.at([Size() if at == along else one for at, one in enumerate(index)])
            return chosen(Binary(given.at(index), top, "=="), number(index[along]), extent)

        where = tracer.array(given.shape, element)
        return tracer.folded("min", where, [along], keepdims=keepdims)

    return position


def norm(tracer: Tracer, array: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:  # noqa: A002 - NumPy's own word
    """`np.linalg.norm` of vectors."""
    given = array_of(tracer, array)
    if ord in (None, 2, "fro") and (axis is not None or len(given.axes) == 1 or ord in (None, "fro")):
        square = element_wise(tracer, lambda x: binary("*", x, x), given)
        return element_wise(tracer, lambda x: unary("sqrt", x), _sum(tracer, square, axis, keepdims=keepdims))
    if ord == 1 and (axis is not None or len(given.axes) == 1):
        return _sum(tracer, element_wise(tracer, lambda x: unary("abs", x), given), axis, keepdims=keepdims)
    if isinstance(ord, float) and ord == float("inf") and (axis is not None or len(given.axes) == 1):
        return _largest(
            tracer, element_wise(tracer, lambda x: unary("abs", x), given), axis, keepdims=keepdims
        )
    raise NotExpressed(f"np.linalg.norm of order {ord}")


def _scan(op: str) -> Any:
    """A running sum and the like: what is folded over the elements up to here; a rule makes a scan of it."""

    def scan(tracer: Tracer, array: Any, axis: Any = None, dtype: Any = None) -> Array:
        given = array_of(tracer, array)
        if axis is None:
            given, axis = reshape(tracer, given, -1), 0
        (along,) = axes_named(axis, len(given.axes))
        axes = tuple(tracer.axis(extent) for extent in given.shape)
        before = tracer.axis(Size.of(axes[along]) + 1)
        here = [Size.of(before) if at == along else Size.of(one) for at, one in enumerate(axes)]
        return tracer.kept(axes, Fold(op, (before,), given.at(here)))

    return scan


def ranks(tracer: Tracer, array: Array, along: int) -> Array:
    """How many elements along an axis come before each one: the place that sorting gives it."""
    inner = tracer.axis(array.shape[along])

    def element(index: tuple[Size, ...]) -> Node:
        other = [Size.of(inner) if at == along else one for at, one in enumerate(index)]
        mine, theirs = array.at(index), array.at(other)
        earlier = compared("<", Size.of(inner), index[along])
        tie = both(Binary(theirs, mine, "=="), earlier)
        before = Binary(Binary(theirs, mine, "<"), tie, "|")
        return Fold("sum", (inner,), chosen(before, Literal(1), Literal(0)))

    axes = tuple(tracer.axis(extent) for extent in array.shape)
    return tracer.kept(axes, element(tuple(Size.of(axis) for axis in axes)))


def _ordered(tracer: Tracer, array: Array, along: int, *, indices: bool) -> Array:
    """The elements of an array in order along an axis, or where they stood: each goes where its rank says."""
    places = ranks(tracer, array, along)
    axes = tuple(tracer.axis(extent) for extent in array.shape)
    index = [Size.of(axis) for axis in axes]
    target = tuple(places.at(index) if at == along else one for at, one in enumerate(index))
    return tracer.scattered(axes, number(index[along]) if indices else array.at(index), target)


def argsort(tracer: Tracer, array: Any, axis: int = -1, kind: Any = None, **_: Any) -> Array:
    """`np.argsort`, ties in the order they stand in."""
    given = array_of(tracer, array)
    (along,) = axes_named(axis, len(given.axes))
    return _ordered(tracer, given, along, indices=True)


def sort(tracer: Tracer, array: Any, axis: int = -1, kind: Any = None, **_: Any) -> Array:
    """`np.sort`."""
    given = array_of(tracer, array)
    (along,) = axes_named(axis, len(given.axes))
    return _ordered(tracer, given, along, indices=False)


def diff(tracer: Tracer, array: Any, n: int = 1, axis: int = -1) -> Array:
    """`np.diff`."""
    given = array_of(tracer, array)
    (along,) = axes_named(axis, len(given.axes))
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
    bins = Size.of(minlength)
    if not bins.terms:
        raise NotExpressed("np.bincount without `minlength`: how many bins there are depends on the data")
    weight = None if weights is None else array_of(tracer, weights)
    inner, axis = tracer.axis(given.shape[0]), tracer.axis(bins)
    value = Literal(1) if weight is None else weight.at([Size.of(inner)])
    met = Binary(given.at([Size.of(inner)]), number(Size.of(axis)), "==")
    zero = Literal(0 if weight is None else 0.0)
    return tracer.kept((axis,), Fold("sum", (inner,), chosen(met, value, zero)))


def take(tracer: Tracer, array: Any, indices: Any, axis: Any = None, **_: Any) -> Any:
    """`np.take`."""
    from agent.composer.nests import indexing

    given = array_of(tracer, array)
    if axis is None:
        given, axis = reshape(tracer, given, -1), 0
    (along,) = axes_named(axis, len(given.axes))
    chosen_ = indices if isinstance(indices, int | Size) else array_of(tracer, indices)
    return indexing.read(tracer, given, (*(slice(None),) * along, chosen_))


def take_along_axis(tracer: Tracer, array: Any, indices: Any, axis: Any) -> Array:
    """`np.take_along_axis`."""
    given, where = array_of(tracer, array), array_of(tracer, indices)
    (along,) = axes_named(axis, len(given.axes))

    def element(index: tuple[Size, ...]) -> Node:
        return given.at([where.at(index) if at == along else one for at, one in enumerate(index)])

    return tracer.array(where.shape, element)


def logsumexp(tracer: Tracer, array: Any, axis: Any = None, keepdims: bool = False) -> Array:
    """`special.logsumexp`, shifted by the maximum."""
    given = array_of(tracer, array)
    top = _largest(tracer, given, axis, keepdims=True)
    parts = element_wise(tracer, lambda x, m: unary("exp", binary("-", x, m)), given, top)
    total = _sum(tracer, parts, axis, keepdims=True)
    result = element_wise(tracer, lambda s, m: binary("+", unary("log", s), m), total, top)
    if keepdims:
        return result
    from agent.composer.nests.layout import squeeze

    return squeeze(tracer, result, tuple(axes_named(axis, len(given.axes))))


def softmax(tracer: Tracer, array: Any, axis: Any = None) -> Array:
    """`special.softmax`, shifted by the maximum."""
    given = array_of(tracer, array)
    top = _largest(tracer, given, axis, keepdims=True)
    parts = element_wise(tracer, lambda x, m: unary("exp", binary("-", x, m)), given, top)
    return element_wise(
        tracer, lambda e, s: binary("/", e, s), parts, _sum(tracer, parts, axis, keepdims=True)
    )


def log_softmax(tracer: Tracer, array: Any, axis: Any = None) -> Array:
    """`special.log_softmax`."""
    total = logsumexp(tracer, array, axis, keepdims=True)
    return element_wise(tracer, lambda x, s: binary("-", x, s), array_of(tracer, array), total)


def largest_of(tracer: Tracer, op: str, *values: Any) -> Any:
    """Python's `max` and `min` of values or of a sequence."""
    items = items_of(values[0]) if len(values) == 1 else list(values)
    if all(isinstance(one, int | float) for one in items):
        return (max if op == "max" else min)(items)
    if all(isinstance(one, int | Size) for one in items):
        total = Size.of(items[0])
        for one in items[1:]:
            total = total.extreme(op, Size.of(one))
        return total if total.constant is None else total.constant
    total = items[0]
    for one in items[1:]:
        total = element_wise(tracer, lambda a, b: binary(op, a, b), total, one)
    return total


REDUCTIONS: dict[str, Any] = {
    "sum": _sum, "max": _largest, "amax": _largest, "min": _least, "amin": _least, "prod": _reduction("prod"),
    "mean": mean, "var": var, "std": std, "all": _truth("min"), "any": _truth("max"),
    "count_nonzero": count_nonzero, "argmax": _position("max"), "argmin": _position("min"), "cumsum": _scan("sum"),
    "cumprod": _scan("prod"), "argsort": argsort, "sort": sort, "diff": diff, "bincount": bincount, "take": take,
    "take_along_axis": take_along_axis,
    "ptp": lambda tracer, array, axis=None: element_wise(
        tracer, lambda a, b: binary("-", a, b), _largest(tracer, array, axis), _least(tracer, array, axis)
    ),
}  # fmt: skip
RUNNING: dict[str, Any] = {
    "add": REDUCTIONS["cumsum"], "multiply": REDUCTIONS["cumprod"], "maximum": _scan("max"), "minimum": _scan("min"),
}  # fmt: skip
