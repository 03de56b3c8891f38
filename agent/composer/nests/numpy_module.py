"""The modules and names that references use, as far as they are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

from agent.composer.expressions import Kind
from agent.composer.folding import binary, unary
from agent.composer.ir import Binary, Literal, Node, Unary
from agent.composer.nests import layout, products, reductions
from agent.composer.nests.arrays import Array, NotExpressed, Tracer, element_wise
from agent.composer.nests.functions import (
    Dtype,
    Module,
    array_of,
    comparison,
    converted,
    is_number,
    items_of,
)
from agent.composer.nests.layout import LAYOUT
from agent.composer.nests.points import chosen, kind_of
from agent.composer.nests.products import PRODUCTS
from agent.composer.nests.reductions import REDUCTIONS, RUNNING
from agent.composer.nests.sizes import Size

_UNARY = {
    "exp": "exp", "log": "log", "sqrt": "sqrt", "tanh": "tanh", "abs": "abs", "absolute": "abs", "fabs": "abs",
    "negative": "neg", "logical_not": "not", "floor": "floor", "ceil": "ceil", "sin": "sin", "cos": "cos",
    "log1p": "log1p", "expm1": "expm1", "exp2": "exp2", "log2": "log2", "log10": "log10", "tan": "tan", "sinh": "sinh",
    "cosh": "cosh", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "asin": "asin", "acos": "acos",
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
_PLAIN: Mapping[str, Callable[..., Any]] = {
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos, "tan": math.tan,
    "tanh": math.tanh, "log2": math.log2, "log10": math.log10, "log1p": math.log1p, "expm1": math.expm1,
    "floor": math.floor, "ceil": math.ceil, "abs": abs, "atan": math.atan, "erf": math.erf, "fabs": math.fabs,
}  # fmt: skip


class _Function:
    """A function of elements, with the methods of a ufunc."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name = f"np.{name}"
        self._key = name
        self._function = function

    def __call__(
        self, tracer: Tracer, *arguments: Any, where: Any = None, out: Any = None, **words: Any
    ) -> Any:
        """Apply it."""
        if where is not None or out is not None:
            raise NotExpressed(f"`out` and `where` of {self.name}")
        return self._function(tracer, *arguments)

    @property
    def members(self) -> Mapping[str, Any]:
        """`reduce`, `accumulate` and `outer`."""
        folded = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}.get(self._key)
        found: dict[str, Any] = {"outer": self._outer}
        if folded:
            reduce = REDUCTIONS[folded]
            found["reduce"] = lambda tracer, array, axis=0, **words: reduce(tracer, array, axis, **words)
            found["accumulate"] = lambda tracer, array, axis=0: RUNNING[self._key](tracer, array, axis)
        return found

    def _outer(self, tracer: Tracer, left: Any, right: Any) -> Any:
        a, b = array_of(tracer, left), array_of(tracer, right)
        wide = a
        for _ in b.axes:
            wide = layout.expand_dims(tracer, wide, -1)
        return self._function(tracer, wide, b)


def _one(name: str, op: str) -> _Function:
    def function(tracer: Tracer, value: Any, *digits: Any) -> Any:
        if digits and digits != (0,):
            raise NotExpressed(f"np.{name} to some digits")
        if is_number(value) and op in _PLAIN:
            return _PLAIN[op](value)
        array = array_of(tracer, value)
        if op == "not":
            return element_wise(tracer, lambda x: unary("not", _truth(x)), array)
        if op in ("rint", "floor", "ceil", "trunc") and array.kind is not Kind.REAL:
            return array
        if op == "~" and array.kind is Kind.BOOL:
            return element_wise(tracer, lambda x: unary("not", x), array)
        if op in _TESTS:
            return element_wise(tracer, _TESTS[op], array)
        return element_wise(tracer, lambda x: unary(op, x), array)

    return _Function(name, function)


def _truth(node: Node) -> Node:
    return node if kind_of(node) is Kind.BOOL else Binary(node, Literal(0), "!=")


_TESTS: Mapping[str, Callable[[Node], Node]] = {
    "isnan": lambda x: Binary(x, x, "!="),
    "isinf": lambda x: Binary(unary("abs", x), Literal(math.inf), "=="),
    "isfinite": lambda x: Binary(unary("abs", x), Literal(math.inf), "<"),
}


def _two(name: str, op: str) -> _Function:
    from agent.composer.nests.functions import arithmetic

    def function(tracer: Tracer, left: Any, right: Any) -> Any:
        if op in ("max", "min"):
            return reductions.largest_of(tracer, op, left, right)
        if name.startswith("logical"):
            return element_wise(tracer, lambda a, b: _logical(op, _truth(a), _truth(b)), left, right)
        if op in ("atan2", "hypot", "fmod", "copysign"):
            return element_wise(tracer, lambda a, b: Binary(a, b, op), left, right)
        return arithmetic(tracer, op, left, right)

    return _Function(name, function)


def _logical(op: str, left: Node, right: Node) -> Node:
    return Binary(left, right, "!=" if op == "^" else op)


def _compare(sign: str) -> Callable[..., Any]:
    return lambda tracer, left, right: element_wise(tracer, lambda a, b: Binary(a, b, sign), left, right)


def where(tracer: Tracer, *arguments: Any) -> Array:
    """`np.where` of three."""
    if len(arguments) != 3:
        raise NotExpressed("np.where of a condition alone: how many indices there are depends on the data")
    return element_wise(tracer, lambda met, yes, no: chosen(_truth(met), yes, no), *arguments)


def clip(tracer: Tracer, value: Any, low: Any = None, high: Any = None, **words: Any) -> Any:
    """`np.clip`."""
    low, high = words.get("a_min", words.get("min", low)), words.get("a_max", words.get("max", high))
    result = value
    if low is not None:
        result = element_wise(tracer, lambda x, y: binary("max", x, y), result, low)
    return result if high is None else element_wise(tracer, lambda x, y: binary("min", x, y), result, high)


def sign(tracer: Tracer, value: Any) -> Any:
    """`np.sign`."""
    array = array_of(tracer, value)
    real = array.kind is Kind.REAL
    one, none, less = (
        (Literal(1.0), Literal(0.0), Literal(-1.0)) if real else (Literal(1), Literal(0), Literal(-1))
    )

    def element(x: Node) -> Node:
        return chosen(Binary(x, Literal(0), ">"), one, chosen(Binary(x, Literal(0), "<"), less, none))

    return element_wise(tracer, element, array)


def heaviside(tracer: Tracer, value: Any, at_zero: Any) -> Any:
    """`np.heaviside`."""
    return element_wise(
        tracer,
        lambda x, h: chosen(
            Binary(x, Literal(0), ">"), Literal(1.0), chosen(Binary(x, Literal(0), "<"), Literal(0.0), h)
        ),
        value,
        at_zero,
    )


def _of(function: Callable[[Node], Node]) -> Callable[..., Any]:
    return lambda tracer, value, *_: element_wise(tracer, function, value)


def _sigmoid(x: Node) -> Node:
    one = Literal(1.0)
    return binary("/", one, binary("+", one, unary("exp", unary("neg", x))))


def array(tracer: Tracer, value: Any, dtype: Any = None, **_: Any) -> Array:
    """`np.array` and its like: a copy."""
    given = array_of(tracer, value)
    copy = tracer.array(given.shape, given.at)
    return copy if dtype is None else cast("Array", converted(tracer, copy, dtype))


def _select(tracer: Tracer, conditions: Any, choices: Any, default: Any = 0) -> Any:
    result = default
    for met, value in reversed(list(zip(items_of(conditions), items_of(choices), strict=True))):
        result = where(tracer, met, value, result)
    return result


def _logaddexp(tracer: Tracer, left: Any, right: Any) -> Any:
    def element(a: Node, b: Node) -> Node:
        gap = unary("neg", unary("abs", binary("-", a, b)))
        return binary("+", binary("max", a, b), unary("log1p", unary("exp", gap)))

    return element_wise(tracer, element, left, right)


def _searchsorted(tracer: Tracer, edges: Any, values: Any, side: str = "left", **_: Any) -> Array:
    """How many edges are below each value."""
    from agent.composer.nests.points import Fold

    sorted_, given = array_of(tracer, edges), array_of(tracer, values)
    inner = tracer.axis(sorted_.shape[0])
    axes = tuple(tracer.axis(extent) for extent in given.shape)
    value = given.at([Size.of(axis) for axis in axes])
    below = Binary(sorted_.at([Size.of(inner)]), value, "<" if side == "left" else "<=")
    return tracer.kept(axes, Fold("sum", (inner,), chosen(below, Literal(1), Literal(0))))


_DTYPES = (
    "float16", "float32", "float64", "double", "single", "half", "longdouble", "int8", "int16", "int32", "int64", "uint8",
    "uint16", "uint32", "uint64", "intp", "bool_",
)  # fmt: skip
_ELEMENTS: dict[str, Any] = {
    **{name: _one(name, op) for name, op in _UNARY.items()},
    **{name: _two(name, op) for name, op in _BINARY.items()},
    **{name: _compare(op) for name, op in _COMPARED.items()},
    "where": where, "clip": clip, "sign": sign, "heaviside": heaviside, "select": _select, "logaddexp": _logaddexp,
    "square": _of(lambda x: binary("*", x, x)), "reciprocal": _of(lambda x: binary("/", Literal(1.0), x)),
    "deg2rad": _of(lambda x: binary("*", x, Literal(math.pi / 180))), "radians": _of(lambda x: binary("*", x, Literal(math.pi / 180))),
    "rad2deg": _of(lambda x: binary("*", x, Literal(180 / math.pi))), "degrees": _of(lambda x: binary("*", x, Literal(180 / math.pi))),
    "real": _of(lambda x: x), "nan_to_num": _of(lambda x: chosen(Binary(x, x, "!="), Literal(0.0), x)),
}  # fmt: skip
_ARRAYS: dict[str, Any] = {
    "array": array, "asarray": array, "ascontiguousarray": array, "copy": array, "asanyarray": array,
    "atleast_1d": lambda tracer, value: layout.reshape(tracer, value, -1) if not array_of(tracer, value).axes else array(tracer, value),
    "_astype": lambda tracer, value, dtype, **_: array(tracer, value, dtype),
    "searchsorted": _searchsorted, "shape": lambda tracer, value: array_of(tracer, value).shape,
    "ndim": lambda tracer, value: len(array_of(tracer, value).axes),
}  # fmt: skip
_CONSTANTS: dict[str, Any] = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan, "newaxis": None}
_WINDOWS = {"sliding_window_view": layout.windows}
_STRIDES = Module("numpy.lib.stride_tricks", _WINDOWS)

NUMPY = Module(
    "np",
    {
        **LAYOUT, **REDUCTIONS, **PRODUCTS, **_ELEMENTS, **_ARRAYS, **_CONSTANTS, **_WINDOWS,
        **{name: Dtype(name) for name in _DTYPES},
        "errstate": lambda tracer, **_: None,
        "linalg": Module("np.linalg", {"norm": reductions.norm, "vector_norm": reductions.norm, "solve": products.solve}),
        "lib": Module("np.lib", {"stride_tricks": _STRIDES}),
    },
)  # fmt: skip
MATH = Module(
    "math", {**{name: one for name, one in _ELEMENTS.items() if isinstance(one, _Function)}, **_CONSTANTS}
)
SPECIAL = Module(
    "special",
    {
        **{name: _ELEMENTS[name] for name in ("erf", "erfc", "gamma", "lgamma", "gammaln")},
        "expit": _of(_sigmoid), "softmax": reductions.softmax, "log_softmax": reductions.log_softmax,
        "logsumexp": reductions.logsumexp,
        "ndtr": _of(lambda x: binary("*", Literal(0.5), unary("erfc", binary("*", x, Literal(-math.sqrt(0.5)))))),
        "logit": _of(lambda x: unary("log", binary("/", x, binary("-", Literal(1.0), x)))),
        "xlogy": lambda tracer, x, y: element_wise(
            tracer, lambda a, b: chosen(Binary(a, Literal(0), "=="), Literal(0.0), binary("*", a, unary("log", b))), x, y
        ),
    },
)  # fmt: skip
BUILT_IN: dict[str, Any] = {
    "range": layout.span, "float": Dtype("float64"), "int": Dtype("int64"), "bool": Dtype("bool"), "True": True,
    "False": False, "None": None,
    "len": lambda tracer, value: _length(tracer, value), "abs": _ELEMENTS["abs"],
    "max": lambda tracer, *values: reductions.largest_of(tracer, "max", *values),
    "min": lambda tracer, *values: reductions.largest_of(tracer, "min", *values),
    "sum": lambda tracer, values, start=0: _total(tracer, values, start), "round": _ELEMENTS["round"],
    "enumerate": lambda tracer, values, start=0: list(enumerate(items_of(values), start)),
    "zip": lambda tracer, *values: list(zip(*map(items_of, values), strict=False)),
    "list": lambda tracer, values=(): items_of(values), "tuple": lambda tracer, values=(): tuple(items_of(values)),
    "dict": lambda tracer, **words: dict(words), "reversed": lambda tracer, values: items_of(values)[::-1],
    "pow": _ELEMENTS["power"],
}  # fmt: skip


def _length(tracer: Tracer, value: Any) -> Any:
    if isinstance(value, Array):
        extent = value.shape[0]
        return extent if extent.constant is None else extent.constant
    return len(items_of(value))


def _total(tracer: Tracer, values: Any, start: Any) -> Any:
    from agent.composer.nests.functions import arithmetic

    total = start
    if isinstance(values, Array):
        return REDUCTIONS["sum"](tracer, values, 0)
    for value in items_of(values):
        total = arithmetic(tracer, "+", total, value)
    return total
