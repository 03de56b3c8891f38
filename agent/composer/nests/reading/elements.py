"""NumPy functions that work element by element."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from agent.composer.expressions import Kind
from agent.composer.folding import binary, unary
from agent.composer.ir import Binary, Literal, Node
from agent.composer.nests.arrays import Array, NotExpressed, Tracer
from agent.composer.nests.kinds import as_kind, literal, truth, untruth
from agent.composer.nests.points import chosen, kind_of
from agent.composer.nests.reading import storing
from agent.composer.nests.reading.layout import expand_dims
from agent.composer.nests.reading.operators import arithmetic, inverted
from agent.composer.nests.reading.ordering import RUNNING
from agent.composer.nests.reading.reductions import REDUCTIONS, largest_of
from agent.composer.nests.reading.values import (
    Selected,
    array_of,
    element_wise,
    is_number,
    items_of,
    kind_named,
)

_UNARY = {
    "exp": "exp", "log": "log", "sqrt": "sqrt", "tanh": "tanh", "abs": "abs", "absolute": "abs", "fabs": "abs",
    "negative": "neg", "logical_not": "not", "floor": "floor", "ceil": "ceil", "sin": "sin", "cos": "cos",
    "log1p": "log1p", "expm1": "expm1", "exp2": "exp2", "log2": "log2", "log10": "log10", "tan": "tan",
    "sinh": "sinh", "cosh": "cosh",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "asin": "asin", "acos": "acos",
    "atan": "atan", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "rint": "rint", "round": "rint",
    "around": "rint", "trunc": "trunc", "cbrt": "cbrt", "erf": "erf", "erfc": "erfc", "lgamma": "lgamma",
    "gammaln": "lgamma", "gamma": "tgamma", "isnan": "isnan", "isinf": "isinf", "isfinite": "isfinite",
    "invert": "~", "bitwise_not": "~",
}  # fmt: skip
_BINARY = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "true_divide": "/", "power": "**", "pow": "**",
    "float_power": "**", "maximum": "max", "minimum": "min", "fmax": "max", "fmin": "min", "arctan2": "atan2",
    "atan2": "atan2", "hypot": "hypot", "fmod": "fmod", "floor_divide": "//", "mod": "%", "remainder": "%",
    "logical_and": "&", "logical_or": "|", "logical_xor": "^", "bitwise_and": "&", "bitwise_or": "|",
    "bitwise_xor": "^", "left_shift": "<<", "right_shift": ">>", "copysign": "copysign",
}  # fmt: skip
_COMPARED = {
    "greater": ">", "greater_equal": ">=", "less": "<", "less_equal": "<=", "equal": "==", "not_equal": "!=",
}  # fmt: skip
_PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos, "tan": math.tan,
    "tanh": math.tanh, "log2": math.log2, "log10": math.log10, "log1p": math.log1p, "expm1": math.expm1,
    "floor": math.floor, "ceil": math.ceil, "abs": abs, "atan": math.atan, "erf": math.erf, "rint": round,
    "trunc": math.trunc,
}  # fmt: skip
_FOLDED = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
_CHANGED_AT = {"add": "+", "subtract": "-", "multiply": "*"}
_ROUNDING = ("rint", "floor", "ceil", "trunc")


class ElementwiseFunction:
    """A function of elements, with the methods of a ufunc."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        """Take what is computed; it takes a tracer and the operands."""
        self.name = f"np.{name}"
        self._key = name
        self._function = function

    def __call__(self, tracer: Tracer, *operands: Any, dtype: Any = None, **words: Any) -> Any:
        """Apply it."""
        digits = words.pop("decimals", words.pop("ndigits", 0))
        if words or digits != 0 or (dtype is not None and kind_named(dtype) is not Kind.REAL):
            raise NotExpressed(f"`{next(iter(words), 'decimals' if digits else 'dtype')}` of {self.name}")
        return self._function(tracer, *operands)

    @property
    def members(self) -> Mapping[str, Any]:
        """`reduce`, `accumulate` and `outer`."""
        found: dict[str, Any] = {"outer": self._outer}
        if self._key in _FOLDED:
            found |= {"reduce": self._reduce, "accumulate": self._accumulate}
        if self._key in _CHANGED_AT:
            found["at"] = self._at
        return found

    def _reduce(self, tracer: Tracer, array: Any, axis: Any = 0, **words: Any) -> Array:
        return REDUCTIONS[_FOLDED[self._key]](tracer, array, axis, **words)

    def _accumulate(self, tracer: Tracer, array: Any, axis: Any = 0) -> Array:
        return RUNNING[self._key](tracer, array, axis)

    def _at(self, tracer: Tracer, array: Any, indices: Any, value: Any) -> None:
        if not isinstance(array, Array):
            raise NotExpressed(f"`{self.name}.at` of what is no array")
        op = _CHANGED_AT[self._key]
        storing.write(tracer, array, indices, array_of(tracer, value), op, each_counts=True)

    def _outer(self, tracer: Tracer, left: Any, right: Any) -> Any:
        wide, other = array_of(tracer, left), array_of(tracer, right)
        for _ in other.axes:
            wide = expand_dims(tracer, wide, -1)
        return self._function(tracer, wide, other)


def _one(name: str, op: str) -> ElementwiseFunction:
    def function(tracer: Tracer, value: Any, digits: Any = 0) -> Any:
        if not is_number(digits) or digits != 0:
            raise NotExpressed(f"np.{name} to some digits")
        if is_number(value) and op in _PLAIN:
            return _PLAIN[op](value)
        if op == "~":
            return inverted(tracer, value)
        array = value if isinstance(value, Selected) else array_of(tracer, value)
        if isinstance(array, Array) and op in _ROUNDING and array.kind is not Kind.REAL:
            return tracer.array(array.shape, array.at)
        return element_wise(tracer, _TESTS.get(op) or (lambda x: unary(op, x)), array)

    return ElementwiseFunction(name, function)


def _is_nan(x: Node) -> Node:
    return Binary(x, x, "!=")


def _is_infinite(x: Node) -> Node:
    return Binary(unary("abs", x), Literal(math.inf), "==")


def _is_finite(x: Node) -> Node:
    return Binary(unary("abs", x), Literal(math.inf), "<")


_TESTS: Mapping[str, Callable[[Node], Node]] = {
    "isnan": _is_nan, "isinf": _is_infinite, "isfinite": _is_finite, "not": untruth,
}  # fmt: skip


def _two(name: str, op: str) -> ElementwiseFunction:
    def function(tracer: Tracer, left: Any, right: Any) -> Any:
        if op in ("max", "min"):
            return largest_of(tracer, op, left, right)
        if name.startswith("logical"):
            return element_wise(tracer, lambda a, b: _logical(op, a, b), left, right)
        if op in ("atan2", "hypot", "fmod", "copysign"):
            return element_wise(tracer, lambda a, b: Binary(a, b, op), left, right)
        return arithmetic(tracer, op, left, right)

    return ElementwiseFunction(name, function)


def _logical(op: str, left: Node, right: Node) -> Node:
    return Binary(as_kind(left, Kind.BOOL), as_kind(right, Kind.BOOL), "!=" if op == "^" else op)


def _compare(name: str, sign: str) -> ElementwiseFunction:
    def function(tracer: Tracer, left: Any, right: Any) -> Array:
        return element_wise(tracer, lambda a, b: Binary(a, b, sign), left, right)

    return ElementwiseFunction(name, function)


def where(tracer: Tracer, *arguments: Any) -> Array:
    """`np.where` of three."""
    if len(arguments) != 3:
        raise NotExpressed("np.where of a condition alone: how many indices there are depends on the data")
    condition, yes, no = arguments
    return element_wise(tracer, lambda met, a, b: chosen(truth(met), a, b), condition, yes, no)


def clip(tracer: Tracer, value: Any, low: Any = None, high: Any = None, **words: Any) -> Array:
    """`np.clip`; a bound of None is none."""
    low = words.pop("a_min", words.pop("min", low))
    high = words.pop("a_max", words.pop("max", high))
    if words:
        raise NotExpressed(f"`{next(iter(words))}` of np.clip")
    result = array_of(tracer, value)
    if low is not None:
        result = element_wise(tracer, lambda x, y: binary("max", x, y), result, low)
    return result if high is None else element_wise(tracer, lambda x, y: binary("min", x, y), result, high)


def _stepped(x: Node, above: Node, at_zero: Node, below: Node) -> Node:
    """One of three values by the sign of `x`."""
    zero = Literal(0)
    return chosen(Binary(x, zero, ">"), above, chosen(Binary(x, zero, "<"), below, at_zero))


def sign(tracer: Tracer, value: Any) -> Array:
    """`np.sign`."""
    array = array_of(tracer, value)
    above, none, below = (literal(one, max(array.kind, Kind.INTEGER)) for one in (1, 0, -1))
    return element_wise(tracer, lambda x: _stepped(x, above, none, below), array)


def heaviside(tracer: Tracer, value: Any, at_zero: Any) -> Array:
    """`np.heaviside`."""
    return element_wise(tracer, lambda x, h: _stepped(x, Literal(1.0), h, Literal(0.0)), value, at_zero)


def each(function: Callable[[Node], Node]) -> Callable[[Tracer, Any], Array]:
    """A function of arrays from one of elements."""

    def applied(tracer: Tracer, value: Any) -> Array:
        return element_wise(tracer, function, value)

    return applied


def _scaled(factor: float) -> Callable[[Tracer, Any], Array]:
    return each(lambda x: binary("*", x, Literal(factor)))


def _reciprocal(x: Node) -> Node:
    if kind_of(x) is not Kind.REAL:
        raise NotExpressed("np.reciprocal of whole numbers")
    return binary("/", Literal(1.0), x)


def _no_nan(x: Node) -> Node:
    return chosen(Binary(x, x, "!="), Literal(0.0), x)


def sigmoid(x: Node) -> Node:
    """The logistic function."""
    one = Literal(1.0)
    return binary("/", one, binary("+", one, unary("exp", unary("neg", x))))


def logit(x: Node) -> Node:
    """The inverse of the logistic function."""
    return unary("log", binary("/", x, binary("-", Literal(1.0), x)))


def normal_below(x: Node) -> Node:
    """How much of the standard normal distribution lies below `x`: `erfc(-x / sqrt(2)) / 2`."""
    return binary("*", Literal(0.5), unary("erfc", binary("*", x, Literal(-math.sqrt(0.5)))))


def xlogy(tracer: Tracer, left: Any, right: Any) -> Array:
    """`special.xlogy`: `x log(y)`, 0 where x is."""

    def element(a: Node, b: Node) -> Node:
        return chosen(Binary(a, Literal(0), "=="), Literal(0.0), binary("*", a, unary("log", b)))

    return element_wise(tracer, element, left, right)


def select(tracer: Tracer, conditions: Any, choices: Any, default: Any = 0) -> Array:
    """`np.select`: the first condition that holds counts."""
    result = array_of(tracer, default)
    for met, value in reversed(list(zip(items_of(conditions), items_of(choices), strict=True))):
        result = where(tracer, met, value, result)
    return result


def logaddexp(tracer: Tracer, left: Any, right: Any) -> Array:
    """`np.logaddexp`."""

    def element(a: Node, b: Node) -> Node:
        gap = unary("neg", unary("abs", binary("-", a, b)))
        return binary("+", binary("max", a, b), unary("log1p", unary("exp", gap)))

    return element_wise(tracer, element, left, right)


ELEMENTS: dict[str, Any] = {
    **{name: _one(name, op) for name, op in _UNARY.items()},
    **{name: _two(name, op) for name, op in _BINARY.items()},
    **{name: _compare(name, op) for name, op in _COMPARED.items()},
    "where": where, "clip": clip, "sign": sign, "heaviside": heaviside, "select": select, "logaddexp": logaddexp,
    "square": each(lambda x: binary("*", x, x)), "reciprocal": each(_reciprocal), "real": each(lambda x: x),
    "deg2rad": _scaled(math.pi / 180), "radians": _scaled(math.pi / 180), "rad2deg": _scaled(180 / math.pi),
    "degrees": _scaled(180 / math.pi), "nan_to_num": each(_no_nan),
}  # fmt: skip
