"""What values of a reference are, and what its operators, names and attributes do with them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from agent.composer.expressions import Kind
from agent.composer.folding import binary, unary
from agent.composer.ir import Binary, Literal, Node
from agent.composer.nests import indexing
from agent.composer.nests.arrays import Array, NotExpressed, Shape, Tracer, as_array, element_wise
from agent.composer.nests.points import Fold, compared
from agent.composer.nests.sizes import Size

OPERATORS: Mapping[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.FloorDiv: "//", ast.Mod: "%",
    ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>", ast.MatMult: "@",
}  # fmt: skip
_COMPARISONS: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_PLAIN: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
    "**": lambda a, b: a**b, "//": lambda a, b: a // b, "%": lambda a, b: a % b, "&": lambda a, b: a & b,
    "|": lambda a, b: a | b, "^": lambda a, b: a ^ b, "<<": lambda a, b: a << b, ">>": lambda a, b: a >> b,
}  # fmt: skip


@dataclass(frozen=True)
class Range:
    """`range(start, ..., step)` of `count` turns."""

    start: Size
    step: int
    count: Size

    def numbers(self) -> list[int] | None:
        """The turns where they are plain numbers; None where their number is a size."""
        first, count = self.start.constant, self.count.constant
        if first is None or count is None:
            return None
        return [first + turn * self.step for turn in range(max(0, count))]


@dataclass(frozen=True)
class Dtype:
    """A dtype by its name."""

    name: str

    @property
    def kind(self) -> Kind:
        """What its values are."""
        if self.name in ("bool", "bool_"):
            return Kind.BOOL
        return (
            Kind.REAL if "float" in self.name or self.name in ("double", "half", "single") else Kind.INTEGER
        )

    def __call__(self, tracer: Tracer, value: Any) -> Any:
        """Convert a value, as `np.float32(value)` does."""
        return converted(tracer, value, self)


@dataclass(frozen=True)
class Module:
    """A module's members by name."""

    name: str
    members: Mapping[str, Any]


def size_of(text: str) -> Size:
    """An extent of the task as a polynomial.

    Raises:
        NotExpressed: It is none.
    """
    return _size(ast.parse(text, mode="eval").body)


def _size(node: ast.expr) -> Size:
    match node:
        case ast.Constant(value=int(value)):
            return Size.of(value)
        case ast.Name(id=name):
            return Size.of(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_size(operand)
        case ast.BinOp(
            left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.FloorDiv() | ast.Mod() as op, right=right
        ):
            return cast("Size", _PLAIN[OPERATORS[type(op)]](_size(left), _size(right)))
        case ast.Call(func=ast.Name(id="min" | "max" as op), args=[left, right]):
            return _size(left).extreme(op, _size(right))
        case ast.Call(func=ast.Name(id="ceil_div"), args=[left, right]):
            return (_size(left) + _size(right) - 1) // _size(right)
        case _:
            raise NotExpressed(f"the extent `{ast.unparse(node)}`")


def is_number(value: Any) -> bool:
    """Whether it is a plain number of Python's."""
    return isinstance(value, bool | int | float)


def array_of(tracer: Tracer, value: Any) -> Array:
    """Any value as an array; a sequence becomes an axis."""
    if isinstance(value, Array | Size) or is_number(value):
        return as_array(value)
    if isinstance(value, Range):
        return tracer.array([value.count], lambda index: _number(value.start + index[0] * value.step))
    if isinstance(value, list | tuple):
        return stacked(tracer, [array_of(tracer, one) for one in cast("Sequence[Any]", value)], 0)
    raise NotExpressed(f"a {type(value).__name__} where an array is expected")


def _number(size: Size) -> Node:
    from agent.composer.nests.points import number

    return number(size)


def stacked(tracer: Tracer, arrays: Sequence[Array], axis: int) -> Array:
    """Join arrays of one shape along a new axis."""
    from agent.composer.nests.arrays import broadcast, spread
    from agent.composer.nests.points import chosen

    if not arrays:
        raise NotExpressed("an empty sequence")
    shape = broadcast([array.shape for array in arrays])
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
    """The items of a sequence of plain length."""
    if isinstance(value, Range):
        value = value.numbers()
    if isinstance(value, dict):
        return list(cast("dict[Any, Any]", value))
    if isinstance(value, list | tuple):
        return list(cast("Sequence[Any]", value))
    raise NotExpressed("going through something that is no sequence of plain length")


def arithmetic(tracer: Tracer, op: str, left: Any, right: Any) -> Any:
    """`left op right`."""
    if op == "@":
        return Module_products().matmul(tracer, left, right)
    if is_number(left) and is_number(right):
        try:
            return _PLAIN[op](left, right)
        except (ArithmeticError, TypeError) as error:
            raise NotExpressed(f"`{left} {op} {right}`") from error
    if isinstance(left, list | tuple | str) or isinstance(right, list | tuple | str):
        return _sequences(op, left, right)
    counted = isinstance(left, int | Size) and isinstance(right, int | Size)
    if counted and op in ("+", "-", "*", "//", "%"):
        by = Size.of(right)
        if op in ("//", "%") and (by.constant is not None and by.constant <= 0):
            raise NotExpressed("a size divided by what is not positive")
        return _simplest(_PLAIN[op](Size.of(left), by))
    if counted and op == "**" and isinstance(right, int) and 0 <= right <= 4:
        total = Size.of(1)
        for _ in range(right):
            total *= Size.of(left)
        return _simplest(total)
    return element_wise(tracer, lambda a, b: _operation(op, a, b), left, right)


def Module_products() -> Any:
    from agent.composer.nests import products

    return products


def _simplest(size: Size) -> Size | int:
    return size if size.constant is None else size.constant


def _sequences(op: str, left: Any, right: Any) -> Any:
    if op == "+" and type(left) is type(right):
        return left + right
    if op == "*" and isinstance(right, int):
        return left * right
    if op == "*" and isinstance(left, int):
        return left * right
    raise NotExpressed(f"`{op}` of a sequence")


def _operation(op: str, left: Node, right: Node) -> Node:
    from agent.composer.nests.points import kind_of

    kind = max(kind_of(left), kind_of(right))
    if op in ("//", "%") and kind is Kind.REAL:
        whole = unary("floor", binary("/", left, right))
        return whole if op == "//" else binary("-", left, binary("*", whole, right))
    if op in ("&", "|", "^") and kind is not Kind.BOOL:
        return Binary(left, right, {"&": "bitand", "|": "bitor", "^": "bitxor"}[op])
    if op == "^":
        return Binary(left, right, "!=")
    return binary(op, left, right)


def comparison(tracer: Tracer, op: ast.cmpop, left: Any, right: Any) -> Any:
    """`left op right`, decided where it can be."""
    match op:
        case ast.Is() | ast.IsNot():
            return (left is right) == isinstance(op, ast.Is)
        case ast.In() | ast.NotIn():
            return (left in right) == isinstance(op, ast.In)
        case _:
            sign = _COMPARISONS[type(op)]
    if isinstance(left, int | Size) and isinstance(right, int | Size):
        return _counted(tracer, sign, Size.of(left), Size.of(right))
    if not isinstance(left, Array | Size) and not isinstance(right, Array | Size):
        return _decided(sign, left, right)
    return element_wise(tracer, lambda a, b: Binary(a, b, sign), left, right)


def _counted(tracer: Tracer, sign: str, left: Size, right: Size) -> Any:
    swapped = {">": ("<", right, left), "<=": (">=", right, left)}.get(sign, (sign, left, right))
    found = compared(*swapped)
    if sign in ("==", "!=") and (left - right).constant is not None:
        return ((left - right).constant == 0) == (sign == "==")
    return bool(found.value) if isinstance(found, Literal) else tracer.scalar(found)


def _decided(sign: str, left: Any, right: Any) -> bool:
    try:
        return {
            "<": lambda: left < right, "<=": lambda: left <= right, ">": lambda: left > right,
            ">=": lambda: left >= right, "==": lambda: left == right, "!=": lambda: left != right,
        }[sign]()  # fmt: skip
    except TypeError as error:
        raise NotExpressed(f"`{sign}` of what cannot be compared") from error


def negated(tracer: Tracer, op: type[ast.unaryop], value: Any) -> Any:
    """`-value`, `+value`, `~value` or `not value`."""
    if op is ast.UAdd:
        return value
    if op is ast.Not:
        if isinstance(value, Array):
            return element_wise(tracer, lambda x: unary("not", x), value)
        return not (value.terms if isinstance(value, Size) else value)
    if op is ast.USub:
        if is_number(value) or isinstance(value, Size):
            return -value
        return element_wise(tracer, lambda x: unary("neg", x), value)
    if isinstance(value, int):
        return ~value
    array = as_array(value)
    return element_wise(tracer, lambda x: unary("not" if array.kind is Kind.BOOL else "~", x), array)


def converted(tracer: Tracer, value: Any, dtype: Any) -> Any:
    """A value in another dtype."""
    kind = kind_named(dtype)
    if isinstance(value, Size) and kind is Kind.INTEGER:
        return value
    if is_number(value):
        return {Kind.BOOL: bool, Kind.INTEGER: int, Kind.REAL: float}[kind](value)
    array = array_of(tracer, value)
    if array.kind is kind:
        return tracer.array(array.shape, array.at)
    if kind is Kind.BOOL:
        return element_wise(tracer, lambda x: Binary(x, Literal(0), "!="), array)
    return element_wise(tracer, lambda x: unary("real" if kind is Kind.REAL else "int", x), array)


def kind_named(dtype: Any) -> Kind:
    """The kind of a dtype, however a reference names it."""
    if isinstance(dtype, Dtype):
        return dtype.kind
    if isinstance(dtype, str):
        return Dtype(dtype).kind
    found = {float: Kind.REAL, int: Kind.INTEGER, bool: Kind.BOOL}.get(dtype)
    if found is None:
        raise NotExpressed("a dtype that is not read")
    return found


def over_turns(tracer: Tracer, op: str, value: Array, loop: Any) -> Array:
    """What all turns of a loop add up to."""
    fold = {"+": "sum", "-": "sum", "*": "prod"}.get(op, op)
    return tracer.kept(value.axes, Fold(fold, (loop,), value.body))


def subscript(tracer: Tracer, value: Any, items: Any) -> Any:
    """`value[items]`."""
    if isinstance(value, Array):
        return indexing.read(tracer, value, items)
    if isinstance(value, dict | list | tuple | str):
        try:
            found = cast("Any", value)[items]
        except (LookupError, TypeError) as error:
            raise NotExpressed(f"`[{items}]` of a {type(value).__name__}") from error
        return found
    raise NotExpressed(f"indexing a {type(value).__name__}")


def attribute(tracer: Tracer, value: Any, name: str) -> Any:
    """`value.name`."""
    if isinstance(value, Module) or hasattr(value, "members"):
        return member(value, name)
    if isinstance(value, list) and name == "append":
        return lambda _tracer, item: cast("list[Any]", value).append(item)
    if isinstance(value, dict) and name in ("items", "keys", "values"):
        return lambda _tracer: list(getattr(cast("dict[Any, Any]", value), name)())
    if isinstance(value, Size) or is_number(value):
        if name == "astype":
            return lambda _tracer, dtype, **_: converted(tracer, value, dtype)
        value = as_array(value)
    if not isinstance(value, Array):
        raise NotExpressed(f"`.{name}`")
    if name in ("shape", "size", "ndim", "T", "dtype"):
        return _property(tracer, value, name)
    function = numpy().members.get(_METHODS.get(name, name))
    if function is None:
        raise NotExpressed(f"the method `{name}`")
    return lambda _tracer, *arguments, **words: function(tracer, value, *arguments, **words)


_METHODS: Mapping[str, str] = {"dot": "dot", "astype": "_astype", "flatten": "ravel", "item": "squeeze"}


def _property(tracer: Tracer, value: Array, name: str) -> Any:
    if name == "shape":
        return tuple(_simplest(extent) for extent in value.shape)
    if name == "ndim":
        return len(value.axes)
    if name == "dtype":
        return Dtype({Kind.BOOL: "bool", Kind.INTEGER: "int64", Kind.REAL: "float64"}[value.kind])
    if name == "size":
        total = Size.of(1)
        for extent in value.shape:
            total *= extent
        return _simplest(total)
    return numpy().members["transpose"](tracer, value)


def numpy() -> Module:
    """NumPy, as far as it is read."""
    from agent.composer.nests.numpy_module import NUMPY

    return NUMPY


def module(name: str) -> Module:
    """A module that a reference imports.

    Raises:
        NotExpressed: It is none that is read.
    """
    from agent.composer.nests.numpy_module import MATH, SPECIAL

    found = {"numpy": numpy(), "math": MATH, "scipy.special": SPECIAL, "special": SPECIAL}.get(name)
    return found or Module(name, {})


def member(owner: Any, name: str) -> Any:
    """`owner.name`.

    Raises:
        NotExpressed: It is not read.
    """
    if name not in owner.members:
        raise NotExpressed(f"`{owner.name}.{name}`")
    return owner.members[name]


def built_in(name: str) -> Any:
    """A name of Python's own.

    Raises:
        NotExpressed: It is not read.
    """
    from agent.composer.nests.numpy_module import BUILT_IN

    if name not in BUILT_IN:
        raise NotExpressed(f"the name `{name}`")
    return BUILT_IN[name]


def axes_named(value: Any, rank: int) -> list[int]:
    """The axes that an `axis` names, counted from the first; all for None."""
    if value is None:
        return list(range(rank))
    found = [value] if isinstance(value, int) else items_of(value)
    for axis in found:
        if not isinstance(axis, int) or not -rank <= axis < rank:
            raise NotExpressed(f"axis {axis} of an array of {rank} axes")
    return [axis % rank for axis in found]


def shape_of(value: Any) -> Shape:
    """A shape as NumPy takes it: a number or a sequence."""
    items = [value] if isinstance(value, int | Size) else items_of(value)
    if not all(isinstance(one, int | Size) for one in items):
        raise NotExpressed("a shape that does not follow from sizes")
    return tuple(Size.of(one) for one in items)
