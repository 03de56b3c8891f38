"""What the names, the attributes and the square brackets of a reference give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from agent.composer.expressions import Kind
from agent.composer.nests.arrays import Array, NotExpressed, Tracer
from agent.composer.nests.reading import indexing, selecting
from agent.composer.nests.reading.elements import ElementwiseFunction
from agent.composer.nests.reading.layout import transpose
from agent.composer.nests.reading.numpy_module import BUILT_IN, METHODS, MODULES, NUMPY
from agent.composer.nests.reading.reductions import REDUCTIONS
from agent.composer.nests.reading.values import (
    Dtype,
    Listed,
    Namespace,
    Selected,
    array_of,
    converted,
    is_number,
    simplest,
)
from agent.composer.nests.sizes import Size, product


def subscript(tracer: Tracer, value: Any, items: Any) -> Any:
    """`value[items]`.

    Raises:
        NotExpressed: There is no such item, or which one it is depends on data.
    """
    if isinstance(value, Array) and isinstance(items, Array) and items.axes and items.kind is Kind.BOOL:
        return selecting.selected(tracer, value, items)
    if isinstance(value, Array | Listed):
        return indexing.read(tracer, array_of(tracer, value), items)
    kind = type(value).__name__
    if not isinstance(value, dict | list | tuple | str):
        raise NotExpressed(f"indexing a {kind}")
    try:
        return cast("Any", value)[items]
    except (LookupError, TypeError) as error:
        raise NotExpressed(f"`[{items}]` of a {kind}") from error


def attribute(tracer: Tracer, value: Any, name: str) -> Any:
    """`value.name`.

    Raises:
        NotExpressed: It is not read.
    """
    if isinstance(value, Namespace | ElementwiseFunction):
        return member(value, name)
    if isinstance(value, dict) and name in ("items", "keys", "values"):
        return _listed(cast("dict[Any, Any]", value), name)
    if isinstance(value, Size) or is_number(value):
        if name == "astype":
            return _astype(value)
        value = array_of(tracer, value)
    if isinstance(value, Selected):
        return _of_selected(tracer, value, name)
    if not isinstance(value, Array):
        raise NotExpressed(f"`.{name}`")
    if name in ("shape", "size", "ndim", "T", "dtype"):
        return _property(tracer, value, name)
    function = METHODS.get(name) or NUMPY.members.get(name)
    if not callable(function) or isinstance(function, Dtype):
        raise NotExpressed(f"the method `{name}`")
    return _method(cast("Callable[..., Any]", function), value)


def _of_selected(tracer: Tracer, value: Selected, name: str) -> Any:
    if name == "size":
        return selecting.counted(tracer, value)
    if name == "shape":
        return (selecting.counted(tracer, value),)
    function = METHODS["astype"] if name == "astype" else REDUCTIONS.get(name)
    if not callable(function):
        raise NotExpressed(f"`.{name}` of what a mask selects")
    return _method(cast("Callable[..., Any]", function), value)


def _listed(value: dict[Any, Any], name: str) -> Callable[[Tracer], list[Any]]:
    def listed(tracer: Tracer) -> list[Any]:
        return list(getattr(value, name)())

    return listed


def _astype(value: Any) -> Callable[..., Any]:
    def astype(tracer: Tracer, dtype: Any, copy: Any = True) -> Any:
        return converted(tracer, value, dtype)

    return astype


def _method(function: Callable[..., Any], value: Array | Selected) -> Callable[..., Any]:
    def method(tracer: Tracer, *arguments: Any, **words: Any) -> Any:
        return function(tracer, value, *arguments, **words)

    return method


def _property(tracer: Tracer, value: Array, name: str) -> Any:
    match name:
        case "shape":
            return tuple(simplest(extent) for extent in value.shape)
        case "ndim":
            return len(value.axes)
        case "dtype":
            return Dtype({Kind.BOOL: "bool", Kind.INTEGER: "int64", Kind.REAL: "float64"}[value.kind])
        case "size":
            return simplest(product(value.shape))
        case _:
            return transpose(tracer, value)


def module(name: str) -> Namespace:
    """A module that a reference imports; one that is not read has no members."""
    return MODULES.get(name) or Namespace(name, {})


def member(owner: Namespace | ElementwiseFunction, name: str) -> Any:
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
    if name not in BUILT_IN:
        raise NotExpressed(f"the name `{name}`")
    return BUILT_IN[name]
