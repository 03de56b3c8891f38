"""NumPy functions that sum products: `@`, dot, einsum and the like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.composer.expressions import Kind
from agent.composer.folding import binary
from agent.composer.ir import Node
from agent.composer.nests.arrays import Array, NotExpressed, Tracer, broadcast, check_equal, literal, spread
from agent.composer.nests.collectives.solving import Solved
from agent.composer.nests.points import At, Fold, chosen, compared
from agent.composer.nests.reading.joining import pad
from agent.composer.nests.reading.layout import flip, reshape
from agent.composer.nests.reading.values import array_of, axes_named, element_wise, items_of
from agent.composer.nests.sizes import ONE, Axis, Size


def matmul(tracer: Tracer, left: Any, right: Any) -> Array:
    """`left @ right`."""
    a, b = array_of(tracer, left), array_of(tracer, right)
    if not a.axes or not b.axes:
        raise NotExpressed("`@` of a number")
    _not_truths(a, b)
    batch = broadcast([a.shape[:-2], b.shape[:-2]])
    _same(a.shape[-1], b.shape[-2] if len(b.axes) > 1 else b.shape[-1])
    rows = a.shape[-2:-1] if len(a.axes) > 1 else ()
    columns = b.shape[-1:] if len(b.axes) > 1 else ()
    axes = tuple(tracer.axis(extent) for extent in (*batch, *rows, *columns))
    inner = tracer.axis(a.shape[-1])
    index = [Size.of(axis) for axis in axes]
    outer, k = index[: len(batch)], Size.of(inner)
    row = index[len(batch) : len(batch) + len(rows)]
    column = index[len(batch) + len(rows) :]
    product = binary(
        "*",
        spread(a, [*outer, *row, k] if rows else [k]),
        spread(b, [*outer, k, *column] if columns else [k]),
    )
    return tracer.kept(axes, Fold("sum", (inner,), product))


def _same(left: Size, right: Size) -> None:
    check_equal(left, right, f"a product over {left.expression()} and {right.expression()} elements")


def _not_truths(*arrays: Array) -> None:
    if all(array.kind is Kind.BOOL for array in arrays):
        raise NotExpressed("a product of truths, which is a truth")


def _times(left: Node, right: Node) -> Node:
    return binary("*", left, right)


def dot(tracer: Tracer, left: Any, right: Any) -> Array:
    """`np.dot`."""
    a, b = array_of(tracer, left), array_of(tracer, right)
    if not a.axes or not b.axes:
        return element_wise(tracer, _times, a, b)
    if len(a.axes) > 2 or len(b.axes) > 2:
        return tensordot(tracer, a, b, ((-1,), (-2 if len(b.axes) > 1 else -1,)))
    return matmul(tracer, a, b)


def inner_product(tracer: Tracer, left: Any, right: Any) -> Array:
    """`np.inner`: over the last axes of both."""
    a, b = array_of(tracer, left), array_of(tracer, right)
    if not a.axes or not b.axes:
        return element_wise(tracer, _times, a, b)
    return tensordot(tracer, a, b, ((-1,), (-1,)))


def vdot(tracer: Tracer, left: Any, right: Any) -> Array:
    """`np.vdot`."""
    flat = [reshape(tracer, array_of(tracer, one), -1) for one in (left, right)]
    return matmul(tracer, flat[0], flat[1])


def outer(tracer: Tracer, left: Any, right: Any) -> Array:
    """`np.outer`."""
    a, b = (reshape(tracer, array_of(tracer, one), -1) for one in (left, right))
    shape = (*a.shape, *b.shape)
    return tracer.array(shape, lambda index: binary("*", a.at([index[0]]), b.at([index[1]])))


def tensordot(tracer: Tracer, left: Any, right: Any, axes: Any = 2) -> Array:
    """`np.tensordot`."""
    a, b = array_of(tracer, left), array_of(tracer, right)
    if isinstance(axes, int):
        pairs = (list(range(len(a.axes) - axes, len(a.axes))), list(range(axes)))
    else:
        first, second = items_of(axes)
        pairs = (axes_named(first, len(a.axes)), axes_named(second, len(b.axes)))
    letters = "abcdefghijklmnopqrstuvwxyz"
    one, other = list(letters[: len(a.axes)]), list(letters[len(a.axes) : len(a.axes) + len(b.axes)])
    for at, to in zip(*pairs, strict=True):
        other[to] = one[at]
    kept = [x for x in one + other if (x in one) != (x in other)]
    return einsum(tracer, f"{''.join(one)},{''.join(other)}->{''.join(kept)}", a, b)


def einsum(tracer: Tracer, text: Any, *operands: Any, optimize: Any = None) -> Array:
    """`np.einsum` with subscripts as text."""
    if not isinstance(text, str):
        raise NotExpressed("np.einsum without subscripts as text")
    arrays = [array_of(tracer, one) for one in operands]
    _not_truths(*arrays)
    inputs, result = _subscripts(text, arrays)
    extents: dict[str, Size] = {}
    for letters, array in zip(inputs, arrays, strict=True):
        if len(letters) != len(array.axes):
            raise NotExpressed(f"`{letters}` for an array of {len(array.axes)} axes")
        for letter, extent in zip(letters, array.shape, strict=True):
            if extents.get(letter, ONE) == ONE:
                extents[letter] = extent
            elif extent not in (ONE, extents[letter]):
                _same(extents[letter], extent)
    axes: dict[str, Axis] = {letter: tracer.axis(extent) for letter, extent in extents.items()}
    value = _multiplied(inputs, arrays, axes)
    summed = tuple(axis for letter, axis in axes.items() if letter not in result)
    kept = tuple(axes[letter] for letter in result)
    if summed:
        return tracer.kept(kept, Fold("sum", summed, value))
    return Array(kept, value, arrays[0] if len(arrays) == 1 else None, tracer)


def _multiplied(inputs: Sequence[str], arrays: Sequence[Array], axes: dict[str, Axis]) -> Node:
    value: Node | None = None
    for letters, array in zip(inputs, arrays, strict=True):
        index = [
            Size() if extent == ONE else Size.of(axes[letter])
            for letter, extent in zip(letters, array.shape, strict=True)
        ]
        value = array.at(index) if value is None else binary("*", value, array.at(index))
    if value is None:
        raise NotExpressed("np.einsum without arrays")
    return value


def _subscripts(text: str, arrays: Sequence[Array]) -> tuple[list[str], str]:
    left, arrow, right = text.replace(" ", "").partition("->")
    inputs = left.split(",")
    if len(inputs) != len(arrays):
        raise NotExpressed(f"`{text}` for {len(arrays)} arrays")
    spare = [letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter not in text]
    most = max(
        (len(array.axes) - len(one) + 3 for one, array in zip(inputs, arrays, strict=True) if "..." in one),
        default=0,
    )
    dots = "".join(spare[:most])
    inputs = [
        one.replace("...", dots[len(dots) - (len(array.axes) - len(one) + 3) :]) if "..." in one else one
        for one, array in zip(inputs, arrays, strict=True)
    ]
    if not arrow:
        joined = "".join(inputs)
        right = dots + "".join(sorted(x for x in set(joined) if joined.count(x) == 1 and x not in dots))
    return inputs, right.replace("...", dots)


def convolve(tracer: Tracer, left: Any, right: Any, mode: str = "full") -> Array:
    """`np.convolve` of a long array with a short one."""
    a, b = array_of(tracer, left), array_of(tracer, right)
    if _is_shorter(a, b):
        a, b = b, a
    width = b.shape[0]
    before, after = {
        "full": (width - 1, width - 1), "same": (width // 2, (width - 1) // 2), "valid": (Size(), Size()),
    }[mode]  # fmt: skip
    wide = (
        pad(tracer, a, ((width - 1 - after if mode == "same" else before, after),)) if mode != "valid" else a
    )
    turned = flip(tracer, b)
    axis, inner = tracer.axis(wide.shape[0] - width + 1), tracer.axis(width)
    value = binary("*", wide.at([Size.of(axis) + Size.of(inner)]), turned.at([Size.of(inner)]))
    return tracer.kept((axis,), Fold("sum", (inner,), value))


def _is_shorter(left: Array, right: Array) -> bool:
    if len(left.axes) != 1 or len(right.axes) != 1:
        raise NotExpressed("a convolution of anything but vectors")
    more = (left.shape[0] - right.shape[0]).constant
    return more is not None and more < 0


def correlate(tracer: Tracer, left: Any, right: Any, mode: str = "valid") -> Array:
    """`np.correlate` of a long array with a short one."""
    a, b = array_of(tracer, left), array_of(tracer, right)
    if _is_shorter(a, b):
        raise NotExpressed("np.correlate of a short array with a long one")
    return convolve(tracer, a, flip(tracer, b), mode)


def trace(tracer: Tracer, array: Any) -> Array:
    """`np.trace` of a square matrix."""
    return tracer.folded("sum", diagonal(tracer, array), [0])


def diagonal(tracer: Tracer, array: Any) -> Array:
    """`np.diagonal` of a square matrix."""
    given = array_of(tracer, array)
    if len(given.axes) != 2 or given.shape[0] != given.shape[1]:
        raise NotExpressed("the diagonal of what is no square matrix")
    return tracer.array([given.shape[0]], lambda index: given.at([index[0], index[0]]), base=given)


def diag(tracer: Tracer, array: Any) -> Array:
    """`np.diag`: the diagonal of a square matrix, or the matrix whose diagonal is a vector."""
    given = array_of(tracer, array)
    if len(given.axes) != 1:
        return diagonal(tracer, given)
    zero = literal(0, given.kind)
    return tracer.array(
        (given.shape[0], given.shape[0]),
        lambda index: chosen(compared("==", index[0], index[1]), given.at([index[0]]), zero),
    )


def solve(tracer: Tracer, matrix: Any, right: Any) -> Array:
    """`np.linalg.solve` of one right side."""
    a, b = array_of(tracer, matrix), array_of(tracer, right)
    if len(a.axes) != 2 or len(b.axes) != 1 or a.shape[0] != a.shape[1] or a.shape[0] != b.shape[0]:
        raise NotExpressed("np.linalg.solve of anything but a square matrix and one right side")
    axis = tracer.axis(b.shape[0])
    at = Size.of(axis)
    return tracer.kept((axis,), Solved(_whole(tracer, a, (at, at)), _whole(tracer, b, (at,))))


def _whole(tracer: Tracer, array: Array, index: tuple[Size, ...]) -> At:
    """An element of an array that lies in a buffer as it is."""
    if not (isinstance(array.body, At) and array.body.indices == tuple(map(Size.of, array.axes))):
        array = tracer.kept(array.axes, array.body)
    found = array.at(index)
    assert isinstance(found, At), "it lies in a buffer"
    return found


PRODUCTS: dict[str, Any] = {
    "matmul": matmul, "dot": dot, "vdot": vdot, "inner": inner_product, "outer": outer, "tensordot": tensordot,
    "einsum": einsum, "convolve": convolve, "correlate": correlate, "trace": trace, "diagonal": diagonal,
    "diag": diag,
}  # fmt: skip
