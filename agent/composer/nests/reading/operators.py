"""What the operators of a reference do with values."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from agent.composer.expressions import Kind
from agent.composer.folding import binary, unary
from agent.composer.ir import Binary, Literal, Node
from agent.composer.nests import wrapping
from agent.composer.nests.arrays import Array, NotExpressed, Tracer
from agent.composer.nests.kinds import plain_value, untruth
from agent.composer.nests.points import Fold, compared, kind_of
from agent.composer.nests.reading import products
from agent.composer.nests.reading.values import (
    MAX_ITEMS,
    Dtype,
    Listed,
    Range,
    Selected,
    array_of,
    converted,
    element_wise,
    is_counted,
    is_number,
    simplest,
)
from agent.composer.nests.sizes import Axis, Size

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
    "max": lambda a, b: max(a, b), "min": lambda a, b: min(a, b),
}  # fmt: skip
_COMPARED: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_BITS: Mapping[str, str] = {"&": "bitand", "|": "bitor", "^": "bitxor"}
_LARGEST_POWER = 64


def arithmetic(tracer: Tracer, op: str, left: Any, right: Any) -> Any:
    """`left op right`, and for `max` and `min` the larger and the smaller of them."""
    if op == "@":
        return products.matmul(tracer, left, right)
    if is_number(left) and is_number(right):
        return _plain(op, left, right)
    if not isinstance(left, Array) and not isinstance(right, Array):
        if any(isinstance(one, list | tuple | str | Range | Listed) for one in (left, right)):
            return _sequences(op, left, right)
        if is_counted(left) and is_counted(right):
            found = _counted(op, Size.of(left), Size.of(right))
            if found is not None:
                return simplest(found)
    return element_wise(tracer, lambda a, b: _wrapped(op, a, b), left, right)


def _wrapped(op: str, left: Node, right: Node) -> Node:
    plain = _operation(op, left, right)
    if kind_of(plain) is Kind.REAL:
        _check_signs(left, right)
    return wrapping.operation(op, left, right, plain)


def _check_signs(*nodes: Node) -> None:
    if not all(map(wrapping.has_its_sign, nodes)):
        raise NotExpressed("a `uint64` compared, or as a real number; shift it right by some bits first")


def _plain(op: str, left: float, right: float) -> bool | int | float:
    try:
        if op in ("**", "<<") and abs(right) > MAX_ITEMS:
            raise NotExpressed(f"`{left} {op} {right}`")
        found = _PLAIN[op](left, right)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise NotExpressed(f"`{left} {op} {right}`") from error
    if not is_number(found):
        raise NotExpressed(f"`{left} {op} {right}`, which is no real number")
    return found


def _counted(op: str, left: Size, right: Size) -> Size | None:
    """An operation on sizes that gives a size; None where it gives none."""
    if op in ("//", "%"):
        if all(factor < 0 for _, factor in right.terms):
            raise NotExpressed("a size divided by what is not positive")
        return cast("Size", _PLAIN[op](left, right))
    if op in ("+", "-", "*"):
        return cast("Size", _PLAIN[op](left, right))
    if op in ("max", "min"):
        return left.extreme(op, right)
    if op == "**" and right.constant is not None and 0 <= right.constant <= 4:
        total = Size.of(1)
        for _ in range(right.constant):
            total *= left
        return total
    return None


def _sequences(op: str, left: Any, right: Any) -> Any:
    if op == "+" and type(left) is type(right) and isinstance(left, list | tuple | str):
        return left + right
    if op == "*" and isinstance(left, int):
        left, right = right, left
    if op == "*" and isinstance(left, list | tuple | str) and isinstance(right, int):
        if len(cast("Sequence[Any]", left)) * right > MAX_ITEMS:
            raise NotExpressed(f"a sequence of more than {MAX_ITEMS} items")
        return cast("Any", left) * right
    raise NotExpressed(f"`{op}` of a sequence")


def _operation(op: str, left: Node, right: Node) -> Node:
    kind = max(kind_of(left), kind_of(right))
    if kind is Kind.BOOL and op not in ("max", "min", "/"):
        return _of_truths(op, left, right)
    if op in ("//", "%") and kind is Kind.REAL:
        floored = unary("floor", binary("/", left, right))
        return floored if op == "//" else binary("-", left, binary("*", floored, right))
    if op in (*_BITS, "<<", ">>"):
        if kind is Kind.REAL:
            raise NotExpressed(f"`{op}` of real numbers")
        return Binary(left, right, _BITS.get(op, op))
    if op == "**" and kind is Kind.INTEGER:
        return _whole_power(left, right)
    return binary(op, left, right)


def _of_truths(op: str, left: Node, right: Node) -> Node:
    """NumPy's arithmetic on truths: `+` is or, `*` is and."""
    match op:
        case "+" | "|":
            return Binary(left, right, "|")
        case "*" | "&":
            return Binary(left, right, "&")
        case "^":
            return Binary(left, right, "!=")
        case _:
            raise NotExpressed(f"`{op}` of truths")


def _whole_power(base: Node, exponent: Node) -> Node:
    """Whole numbers to a whole power, which stay whole numbers."""
    power = plain_value(exponent)
    if isinstance(power, int):
        if not 0 <= power <= _LARGEST_POWER:
            raise NotExpressed(f"whole numbers to the power {power}")
        return _repeated(base, power)
    if base == Literal(2):
        return Binary(Literal(1), exponent, "<<")
    if base == Literal(-1):
        return binary("-", Literal(1), binary("*", Literal(2), Binary(exponent, Literal(1), "bitand")))
    return binary("**", base, exponent)


def _repeated(base: Node, power: int) -> Node:
    if power == 0:
        return Literal(1)
    half = _repeated(base, power // 2)
    square = half if half == Literal(1) else binary("*", half, half)
    if power % 2 == 0:
        return square
    return base if square == Literal(1) else binary("*", square, base)


def comparison(tracer: Tracer, op: ast.cmpop, left: Any, right: Any) -> Any:
    """`left op right`, decided where it can be."""
    match op:
        case ast.Is() | ast.IsNot():
            return (left is right) == isinstance(op, ast.Is)
        case ast.In() | ast.NotIn():
            return _contained(left, right) == isinstance(op, ast.In)
        case _:
            sign = _COMPARISONS[type(op)]
    if is_counted(left) and is_counted(right):
        return _compared_sizes(tracer, sign, Size.of(left), Size.of(right))
    if not isinstance(left, Array | Size | Selected) and not isinstance(right, Array | Size | Selected):
        return _decided(sign, left, right)

    def element(a: Node, b: Node) -> Node:
        if sign not in ("==", "!="):
            _check_signs(a, b)
        return Binary(a, b, sign)

    return element_wise(tracer, element, left, right)


def _contained(item: Any, container: Any) -> bool:
    if isinstance(container, str) and isinstance(item, str):
        return item in container
    items = list(cast("Sequence[Any]", container)) if isinstance(container, list | tuple | dict) else None
    if items is None or _is_open(item) or any(_is_open(one) for one in items):
        raise NotExpressed("`in` where it depends on data or on sizes")
    return item in items


def _is_open(value: Any) -> bool:
    """Whether what it equals may depend on data or on sizes."""
    if isinstance(value, list | tuple):
        return any(_is_open(one) for one in cast("Sequence[Any]", value))
    return isinstance(value, Array | Size | Listed)


def _compared_sizes(tracer: Tracer, sign: str, left: Size, right: Size) -> Any:
    swapped = {">": ("<", right, left), "<=": (">=", right, left)}.get(sign, (sign, left, right))
    found = compared(*swapped)
    if sign in ("==", "!=") and (left - right).constant is not None:
        return ((left - right).constant == 0) == (sign == "==")
    return bool(found.value) if isinstance(found, Literal) else tracer.scalar(found)


def _decided(sign: str, left: Any, right: Any) -> bool:
    if (_is_open(left) or _is_open(right)) and left != right:
        raise NotExpressed("comparing sequences where that depends on sizes")
    try:
        return bool(_COMPARED[sign](left, right))
    except TypeError as error:
        raise NotExpressed(f"`{sign}` of what cannot be compared") from error


def decided(value: Any) -> bool:
    """Whether a value holds.

    Raises:
        NotExpressed: That depends on data or on sizes.
    """
    if isinstance(value, Size):
        if value.constant is not None:
            return value.constant != 0
        if any(compared(">=", one, Size.of(1)) == Literal(1) for one in (value, -value)):
            return True
    elif isinstance(value, Array) and not value.axes:
        known = plain_value(value.own)
        if known is not None:
            return bool(known)
    elif not isinstance(value, Array | Listed | Range):
        return bool(value)
    raise NotExpressed("a branch that depends on data or on sizes; np.where chooses element by element")


def negated(tracer: Tracer, op: type[ast.unaryop], value: Any) -> Any:
    """`-value`, `+value`, `~value` or `not value`."""
    if op is ast.UAdd:
        return (
            value if is_number(value) or isinstance(value, Size) else element_wise(tracer, lambda x: x, value)
        )
    if op is ast.Not:
        if isinstance(value, Array) and not value.axes and plain_value(value.own) is None:
            return element_wise(tracer, untruth, value)
        return not decided(value)
    if op is ast.USub:
        if is_number(value) or isinstance(value, Size):
            return -value
        return element_wise(tracer, lambda x: wrapping.put_into(wrapping.dtype_of(x), unary("neg", x)), value)
    return ~value if isinstance(value, int) else inverted(tracer, value)


def inverted(tracer: Tracer, value: Any) -> Array:
    """`~value`: of truths whether each does not hold, of whole numbers their bits turned."""
    array = array_of(tracer, value)
    if array.kind is Kind.REAL:
        raise NotExpressed("`~` of real numbers")
    if array.kind is Kind.BOOL:
        return element_wise(tracer, untruth, array)
    return element_wise(tracer, lambda x: wrapping.put_into(wrapping.dtype_of(x), unary("~", x)), array)


def over_turns(tracer: Tracer, op: str, value: Any, loop: Axis) -> Array:
    """What all turns of a loop add up to."""
    fold = {"+": "sum", "-": "sum", "*": "prod"}.get(op, op)
    array = array_of(tracer, value)
    return tracer.kept(array.axes, Fold(fold, (loop,), array.body))


def numbers_of(tracer: Tracer, value: Any) -> Any:
    """The same with truths as 0 and 1, which add up."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Array) and value.kind is Kind.BOOL:
        return converted(tracer, value, Dtype("int64"))
    return value
