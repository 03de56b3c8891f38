"""The modules and names that references use, as far as they are read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from agent.composer.nests.arrays import Array, NotExpressed, Shape, Tracer
from agent.composer.nests.reading import making, products, reductions, selecting
from agent.composer.nests.reading.elements import (
    ELEMENTS,
    ElementwiseFunction,
    each,
    logit,
    normal_below,
    sigmoid,
    xlogy,
)
from agent.composer.nests.reading.joining import JOINING
from agent.composer.nests.reading.layout import LAYOUT, reshape
from agent.composer.nests.reading.library import written_in_numpy
from agent.composer.nests.reading.making import MAKING
from agent.composer.nests.reading.operators import arithmetic
from agent.composer.nests.reading.ordering import ORDERING, sort_in_place
from agent.composer.nests.reading.products import PRODUCTS
from agent.composer.nests.reading.reductions import REDUCTIONS
from agent.composer.nests.reading.values import (
    Dtype,
    Listed,
    Namespace,
    Range,
    Selected,
    array_of,
    converted,
    items_of,
    simplest,
)
from agent.composer.nests.sizes import Size, product
from sandbox.reference import torch_operators


def copied(tracer: Tracer, value: Any, dtype: Any = None, copy: Any = True) -> Any:
    """`np.array` and the method `astype`: a copy."""
    if isinstance(value, Selected):
        return value if dtype is None else converted(tracer, value, dtype)
    given = array_of(tracer, value)
    copy = tracer.array(given.shape, given.at)
    return copy if dtype is None else converted(tracer, copy, dtype)


def taken_as_array(tracer: Tracer, value: Any, dtype: Any = None) -> Array:
    """`np.asarray`: what is an array already stays the same one."""
    given = array_of(tracer, value)
    return given if dtype is None else copied(tracer, given, dtype)


def _copy(tracer: Tracer, value: Any) -> Array:
    return copied(tracer, value)


def _flattened(tracer: Tracer, value: Any, order: Any = "C") -> Array:
    return copied(tracer, reshape(tracer, value, -1, order=order))


def _at_least_one_axis(tracer: Tracer, value: Any) -> Array:
    given = array_of(tracer, value)
    return given if given.axes else reshape(tracer, given, -1)


def _shape(tracer: Tracer, value: Any) -> Shape:
    return array_of(tracer, value).shape


def _rank(tracer: Tracer, value: Any) -> int:
    return len(array_of(tracer, value).axes)


def _size(tracer: Tracer, value: Any) -> Size | int:
    return simplest(product(array_of(tracer, value).shape))


def _nothing(tracer: Tracer, **words: Any) -> None:
    """What only says how NumPy reports."""


def _length(tracer: Tracer, value: Any) -> Size | int | Array:
    if isinstance(value, Range):
        return simplest(value.count)
    if isinstance(value, Selected):
        return selecting.counted(tracer, value)
    if isinstance(value, Array | Listed):
        return simplest(array_of(tracer, value).shape[0])
    return len(value) if isinstance(value, str) else len(items_of(value))


def _sum(tracer: Tracer, values: Any, start: Any = 0) -> Any:
    if isinstance(values, Array | Listed):
        return arithmetic(tracer, "+", start, reductions.total(tracer, values, 0))
    total = start
    for value in items_of(values):
        total = arithmetic(tracer, "+", total, value)
    return total


def _max(tracer: Tracer, *values: Any) -> Any:
    return reductions.largest_of(tracer, "max", *values)


def _min(tracer: Tracer, *values: Any) -> Any:
    return reductions.largest_of(tracer, "min", *values)


def _enumerate(tracer: Tracer, values: Any, start: int = 0) -> list[Any]:
    return list(enumerate(items_of(values), start))


def _zip(tracer: Tracer, *values: Any) -> list[Any]:
    return list(zip(*map(items_of, values), strict=False))


def _list(tracer: Tracer, values: Any = ()) -> list[Any]:
    return items_of(values)


def _tuple(tracer: Tracer, values: Any = ()) -> tuple[Any, ...]:
    return tuple(items_of(values))


def _dict(tracer: Tracer, **words: Any) -> dict[str, Any]:
    return dict(words)


def _reversed(tracer: Tracer, values: Any) -> list[Any]:
    return items_of(values)[::-1]


def _divmod(tracer: Tracer, left: Any, right: Any) -> tuple[Any, Any]:
    return arithmetic(tracer, "//", left, right), arithmetic(tracer, "%", left, right)


def _in_place(name: str) -> Any:
    def refused(tracer: Tracer, *arguments: Any, **words: Any) -> None:
        raise NotExpressed(f"the method `{name}`, which works in place")

    return refused


def _limits(tracer: Tracer, dtype: Any) -> Namespace:
    """`np.finfo` and `np.iinfo`."""
    name = dtype.name if isinstance(dtype, Dtype) else dtype
    try:
        kind = np.dtype(name)
    except TypeError as error:
        raise NotExpressed(f"the dtype `{name}`") from error
    if kind.kind != "f":
        whole = np.iinfo(kind)
        return Namespace("np.iinfo", {"max": whole.max, "min": whole.min, "bits": whole.bits})
    real = np.finfo(kind)
    members = {"eps": real.eps, "max": real.max, "min": real.min, "tiny": real.tiny}
    return Namespace("np.finfo", {one: value.item() for one, value in members.items()})


_DTYPES = (
    "float16", "float32", "float64", "double", "single", "half", "longdouble", "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64", "intp", "bool_", "bool",
)  # fmt: skip
_ARRAYS: dict[str, Any] = {
    "array": copied, "copy": _copy, "asarray": taken_as_array, "ascontiguousarray": taken_as_array,
    "asanyarray": taken_as_array, "atleast_1d": _at_least_one_axis, "shape": _shape, "ndim": _rank, "size": _size,
}  # fmt: skip
_CONSTANTS: dict[str, Any] = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan, "newaxis": None}
_STRIDES = Namespace(
    "np.lib.stride_tricks",
    {"sliding_window_view": JOINING["sliding_window_view"], "broadcast_to": LAYOUT["broadcast_to"]},
)
_LINALG = Namespace(
    "np.linalg",
    {"norm": reductions.norm, "vector_norm": reductions.norm, "solve": products.solve},
)
METHODS: dict[str, Any] = {
    "astype": copied, "flatten": _flattened, "item": LAYOUT["_item"], "sort": sort_in_place,
    "fill": _in_place("fill"), "partition": _in_place("partition"), "put": _in_place("put"),
}  # fmt: skip
"""Methods of arrays that are not NumPy's functions of the same name."""

_NUMPY: dict[str, Any] = {
        **{name: one for name, one in LAYOUT.items() if not name.startswith("_")},
        **MAKING, **JOINING, **REDUCTIONS, **ORDERING, **PRODUCTS, **ELEMENTS, **_ARRAYS, **_CONSTANTS,
        **{name: Dtype(name) for name in _DTYPES},
        "errstate": _nothing, "seterr": _nothing, "linalg": _LINALG,
        "lib": Namespace("np.lib", {"stride_tricks": _STRIDES}), "finfo": _limits, "iinfo": _limits,
}  # fmt: skip
NUMPY = Namespace("np", _NUMPY)
_NUMPY.update(written_in_numpy(NUMPY))
MATH = Namespace(
    "math", {**{n: one for n, one in ELEMENTS.items() if isinstance(one, ElementwiseFunction)}, **_CONSTANTS}
)
SPECIAL = Namespace(
    "special",
    {
        **{name: ELEMENTS[name] for name in ("erf", "erfc", "gamma", "lgamma", "gammaln")},
        "expit": each(sigmoid), "softmax": reductions.softmax, "log_softmax": reductions.log_softmax,
        "logsumexp": reductions.logsumexp, "ndtr": each(normal_below), "logit": each(logit), "xlogy": xlogy,
    },
)  # fmt: skip


def _aten(tracer: Tracer, operator: Any, *arguments: Any, **words: Any) -> Array:
    """`torch_operators.aten`: a name says what is computed, and not how."""
    raise NotExpressed(f"PyTorch's own operator `{operator}`")


MODULES: dict[str, Namespace] = {
    "numpy": NUMPY, "numpy.linalg": _LINALG, "numpy.lib.stride_tricks": _STRIDES, "math": MATH,
    "scipy.special": SPECIAL, "special": SPECIAL,
    torch_operators.MODULE: Namespace(torch_operators.MODULE, {"aten": _aten}),
}  # fmt: skip
BUILT_IN: dict[str, Any] = {
    "range": making.span, "float": Dtype("float64"), "int": Dtype("int64"), "bool": Dtype("bool"), "len": _length,
    "abs": ELEMENTS["abs"], "max": _max, "min": _min, "sum": _sum, "round": ELEMENTS["round"],
    "pow": ELEMENTS["power"], "enumerate": _enumerate,
    "zip": _zip, "list": _list, "tuple": _tuple, "dict": _dict, "reversed": _reversed,
    "divmod": _divmod,
}  # fmt: skip
