"""What values of a reference are, besides arrays, and how one kind of value is taken as another."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, cast, overload

from agent.composer.expressions import Kind
from agent.composer.ir import Node
from agent.composer.nests import wrapping
from agent.composer.nests.arrays import (
    Array,
    NotExpressed,
    Shape,
    Tracer,
    as_array,
    broadcast,
    check_equal,
    spread,
)
from agent.composer.nests.kinds import as_kind
from agent.composer.nests.points import chosen, compared, number
from agent.composer.nests.sizes import Size

MAX_ITEMS = 4096
"""Items of a list or turns of a range that are written out."""

_KINDS: Mapping[Kind, str] = {
    Kind.BOOL: "bool bool_ ?",
    Kind.INTEGER: "int intp int8 int16 int32 int64 i1 i2 i4 i8 i uint8 uint16 uint32 uint64 u1 u2 u4 u8",
    Kind.REAL: "float float16 float32 float64 double single half longdouble bfloat16 f2 f4 f8 e f d",
}


@dataclass(frozen=True)
class Range:
    """`range(start, ..., step)` of `count` turns."""

    start: Size
    step: int
    count: Size

    def numbers(self) -> list[int] | None:
        """The turns where they are plain numbers; None where their number is a size.

        Raises:
            NotExpressed: There are too many.
        """
        first, count = self.start.constant, self.count.constant
        if first is None or count is None:
            return None
        if count > MAX_ITEMS:
            raise NotExpressed(f"a range of {count} plain numbers; up to {MAX_ITEMS} are written out")
        return [first + turn * self.step for turn in range(max(0, count))]


@dataclass(frozen=True, eq=False)
class Listed:
    """A list as long as a size: what a comprehension over a range makes, one item for each index of an array."""

    array: Array


@dataclass(frozen=True, eq=False)
class Selected:
    """The elements of an array at which a mask of its shape holds, in a row."""

    array: Array
    mask: Array

    @property
    def kind(self) -> Kind:
        """The kind of the elements."""
        return self.array.kind

    def is_by(self, mask: Array) -> bool:
        """Whether the very same mask selects."""
        index = [Size.of(axis) for axis in mask.axes]
        return mask.shape == self.mask.shape and self.mask.at(index) == mask.at(index)


@dataclass(frozen=True)
class Dtype:
    """A dtype by its name. Of real numbers it is taken for the kind alone."""

    name: str

    @property
    def kind(self) -> Kind:
        """What its values are.

        Raises:
            NotExpressed: It is no dtype that is read.
        """
        bare = self.name.lstrip("<=|>")
        for kind, names in _KINDS.items():
            if bare in names.split():
                return kind
        raise NotExpressed(f"the dtype `{self.name}`")

    def __call__(self, tracer: Tracer, value: Any = 0) -> Any:
        """Convert a value, as `np.float32(value)` does."""
        if isinstance(value, str) and self.kind is Kind.REAL:
            return _number_written(value)
        return converted(tracer, value, self)


def _number_written(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise NotExpressed(f"the number `{text}`") from error


@dataclass(frozen=True)
class Namespace:
    """A module's members by name."""

    name: str
    members: Mapping[str, Any]


def is_number(value: Any) -> TypeGuard[bool | int | float]:
    """Whether it is a plain number of Python's."""
    return isinstance(value, bool | int | float)


def is_counted(value: Any) -> TypeGuard[int | Size]:
    """Whether it is a whole number that follows from dims and indices."""
    return isinstance(value, int | Size)


def whole(value: Any) -> Size:
    """A whole number that follows from dims.

    Raises:
        NotExpressed: It is none.
    """
    if not is_counted(value):
        raise NotExpressed("a number that does not follow from sizes where a whole one is expected")
    return Size.of(value)


def simplest(size: Size) -> Size | int:
    """A plain number where it is one."""
    return size if size.constant is None else size.constant


def array_of(tracer: Tracer, value: Any) -> Array:
    """Any value as an array; a sequence becomes an axis.

    Raises:
        NotExpressed: It is none.
    """
    if isinstance(value, Array | Size) or is_number(value):
        return as_array(value)
    if isinstance(value, Listed):
        return value.array
    if isinstance(value, Range):
        turns = value
        return tracer.array([turns.count], lambda index: number(turns.start + index[0] * turns.step))
    if isinstance(value, list | tuple):
        return stacked(tracer, [array_of(tracer, one) for one in cast("Sequence[Any]", value)], 0)
    if isinstance(value, Selected):
        raise NotExpressed(
            "selecting by a mask: how many elements there are depends on the data; use np.where"
        )
    raise NotExpressed(f"a {type(value).__name__} where an array is expected")


def stacked(tracer: Tracer, arrays: Sequence[Array], axis: int) -> Array:
    """Join arrays of one shape along a new axis."""
    if not arrays:
        raise NotExpressed("an empty sequence")
    shape = arrays[0].shape
    for array in arrays:
        if len(array.axes) != len(shape):
            raise NotExpressed("joining arrays of different ranks along a new axis")
        for one, first in zip(array.shape, shape, strict=True):
            check_equal(one, first, "joining arrays of different shapes along a new axis")
    axis %= len(shape) + 1

    def element(index: tuple[Size, ...]) -> Node:
        rest = (*index[:axis], *index[axis + 1 :])
        result = spread(arrays[-1], rest)
        for position in range(len(arrays) - 2, -1, -1):
            here = compared("==", index[axis], Size.of(position))
            result = chosen(here, spread(arrays[position], rest), result)
        return result

    return tracer.array([*shape[:axis], Size.of(len(arrays)), *shape[axis:]], element)


def items_of(value: Any) -> list[Any]:
    """The items of a sequence of plain length.

    Raises:
        NotExpressed: It is none.
    """
    if isinstance(value, Range):
        value = value.numbers()
    if isinstance(value, dict):
        return list(cast("dict[Any, Any]", value))
    if isinstance(value, list | tuple):
        return list(cast("Sequence[Any]", value))
    raise NotExpressed("going through something that is no sequence of plain length")


@overload
def element_wise(tracer: Tracer, function: Callable[[Node], Node], first: Any, /) -> Array: ...
@overload
def element_wise(
    tracer: Tracer, function: Callable[[Node, Node], Node], first: Any, second: Any, /
) -> Array: ...
@overload
def element_wise(
    tracer: Tracer, function: Callable[[Node, Node, Node], Node], first: Any, second: Any, third: Any, /
) -> Array: ...
def element_wise(tracer: Tracer, function: Callable[..., Node], *values: Any) -> Array:
    """Apply a function of elements to arrays, and to whatever is taken as one."""
    selected = next((value for value in values if isinstance(value, Selected)), None)
    if selected is not None:
        return cast("Array", _of_selected(tracer, function, selected, values))
    arrays = [array_of(tracer, value) for value in values]
    shape = broadcast([array.shape for array in arrays])
    return tracer.array(shape, lambda index: function(*(spread(array, index) for array in arrays)))


def _of_selected(
    tracer: Tracer, function: Callable[..., Node], selected: Selected, values: Sequence[Any]
) -> Selected:
    """Apply a function to what one mask has selected, and to plain values."""
    plain: list[Any] = []
    for value in values:
        if isinstance(value, Selected):
            if not value.is_by(selected.mask):
                raise NotExpressed("what different masks select, together")
            plain.append(value.array)
        elif array_of(tracer, value).axes:
            raise NotExpressed("what a mask selects, together with an array")
        else:
            plain.append(value)
    return Selected(element_wise(tracer, function, *plain), selected.mask)


def converted(tracer: Tracer, value: Any, dtype: Any) -> Any:
    """A value in another dtype.

    Raises:
        NotExpressed: The dtype is not read.
    """
    kind = kind_named(dtype)
    if isinstance(value, Size) and kind is Kind.INTEGER:
        return value
    if is_number(value):
        return _plain_converted(value, kind)
    array = value if isinstance(value, Selected) else array_of(tracer, value)
    wanted = wrapping.named(dtype.name if isinstance(dtype, Dtype) else dtype or "")

    def element(x: Node) -> Node:
        if kind is Kind.REAL and not wrapping.has_its_sign(x):
            raise NotExpressed("a `uint64` as a real number")
        return wrapping.put_into(wanted, as_kind(x, kind)) if kind is Kind.INTEGER else as_kind(x, kind)

    return element_wise(tracer, element, array)


def _plain_converted(value: float, kind: Kind) -> bool | int | float:
    if kind is Kind.INTEGER and not math.isfinite(value):
        raise NotExpressed(f"{value} as a whole number")
    return bool(value) if kind is Kind.BOOL else int(value) if kind is Kind.INTEGER else float(value)


def kind_named(dtype: Any) -> Kind:
    """The kind of a dtype, however a reference names it; that of `float` for None.

    Raises:
        NotExpressed: It is none that is read.
    """
    if dtype is None:
        return Kind.REAL
    if isinstance(dtype, Dtype):
        return dtype.kind
    if isinstance(dtype, str):
        return Dtype(dtype).kind
    raise NotExpressed("a dtype that is not read")


def axes_named(value: Any, rank: int) -> list[int]:
    """The axes that an `axis` names, counted from the first; all for None."""
    if value is None:
        return list(range(rank))
    found: list[Any] = [value] if isinstance(value, int) else items_of(value)
    for axis in found:
        if not isinstance(axis, int) or not -rank <= axis < rank:
            raise NotExpressed(f"axis {axis} of an array of {rank} axes")
    axes = [axis % rank for axis in found]
    if len(set(axes)) != len(axes):
        raise NotExpressed("an axis that is named twice")
    return axes


def axis_named(value: Any, rank: int) -> int:
    """The one axis that an `axis` names."""
    if not isinstance(value, int):
        raise NotExpressed("an axis that is no plain number")
    return axes_named(value, rank)[0]


def shape_of(value: Any) -> Shape:
    """A shape as NumPy takes it: a number or a sequence."""
    items: list[Any] = [value] if is_counted(value) else items_of(value)
    if not all(is_counted(one) for one in items):
        raise NotExpressed("a shape that does not follow from sizes")
    return tuple(Size.of(one) for one in items)
