"""Frozen dataclasses to JSON values and buffers, and back, led by their type hints.

What comes back from a worker is not trusted: every value must have exactly the declared type.
Arrays and bytes travel as raw buffers beside the JSON, in the order in which they are met.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache, cached_property
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np

from sandbox.errors import WorkerProtocolError
from sandbox.wire import Buffer, Message

T = TypeVar("T")

_TAG = "$type"
_PRIMITIVES = (bool, int, float, str)


def to_message(value: object) -> Message:
    """Encode a dataclass instance, tagged with its class's name.

    Raises:
        TypeError: A value has a type that its field does not declare.
    """
    encoder = _Encoder()
    body = encoder.encode(value, _read(type(value)))
    body[_TAG] = type(value).__name__
    return Message(body, tuple((str(index), buffer) for index, buffer in enumerate(encoder.buffers)))


def from_message(message: Message, *accepted: type[T]) -> T:
    """Decode a message into one of the accepted dataclasses.

    Raises:
        WorkerProtocolError: It is none of them, or a value is not of the declared type.
    """
    decoder = _Decoder([buffer for _, buffer in message.buffers])
    value = decoder.tagged(message.body, tuple(map(_read, accepted)))
    decoder.finish()
    return cast("T", value)


class _Hint:
    """A type hint, taken apart once.

    Attributes:
        hint: As declared.
        members: Of a union, in order; the hint alone where it is none.
        origin: `tuple`, `dict` or `Mapping` of a generic one, `numpy.ndarray` of an array.
    """

    def __init__(self, hint: Any) -> None:
        self.hint = hint
        self.origin = np.ndarray if hint is np.ndarray else get_origin(hint)
        union = self.origin in (Union, types.UnionType)
        self.members = tuple(_read(member) for member in get_args(hint)) if union else (self,)
        self.is_dataclass = dataclasses.is_dataclass(hint)
        self.is_enum = isinstance(hint, type) and issubclass(hint, Enum)
        self.is_none = hint in (None, type(None))
        self.is_primitive = hint in _PRIMITIVES
        self.is_mapping = self.origin in (dict, Mapping)

    @cached_property
    def fields(self) -> dict[str, _Hint]:
        """Of a dataclass."""
        hints = get_type_hints(self.hint)
        return {field.name: _read(hints[field.name]) for field in dataclasses.fields(self.hint)}

    @cached_property
    def arguments(self) -> tuple[Any, ...]:
        """Of a generic one: hints, and an ellipsis as it is."""
        return tuple(one if one is Ellipsis else _read(one) for one in get_args(self.hint))

    @cached_property
    def values(self) -> dict[str, Enum]:
        """Of an enumeration: its members by value."""
        return {member.value: member for member in self.hint}


@cache
def _read(hint: Any) -> _Hint:
    return _Hint(hint)


class _Encoder:
    def __init__(self) -> None:
        self.buffers: list[Buffer] = []

    def encode(self, value: Any, hint: _Hint) -> Any:
        if hint.is_primitive and _is_primitive(value, hint.hint):
            return value
        if len(hint.members) > 1:
            return self._union(value, hint.members)
        if hint.is_dataclass and type(value) is hint.hint:
            return {name: self.encode(getattr(value, name), kind) for name, kind in hint.fields.items()}
        if value is None and hint.is_none:
            return None
        if hint.is_enum and isinstance(value, hint.hint):
            return cast("Enum", value).value
        if hint.origin is np.ndarray and isinstance(value, np.ndarray):
            return self._buffer(cast("Buffer", value))
        if hint.hint is bytes and isinstance(value, bytes):
            return self._buffer(value)
        if hint.origin is tuple and isinstance(value, tuple):
            return self._tuple(cast("tuple[Any, ...]", value), hint.arguments)
        if hint.is_mapping and isinstance(value, Mapping):
            kind = hint.arguments[1]
            items = cast("Mapping[str, Any]", value).items()
            return {_key(name): self.encode(item, kind) for name, item in items}
        raise TypeError(f"{type(value).__name__} cannot travel as {hint.hint}")

    def _union(self, value: Any, members: tuple[_Hint, ...]) -> Any:
        for member in members:
            if member.is_dataclass and type(value) is member.hint:
                return {_TAG: cast("type", member.hint).__name__, **self.encode(value, member)}
        if value is None and any(member.is_none for member in members):
            return None
        exact = [member for member in members if type(value) is member.hint]
        loose = [m for m in members if m.hint is float or not (m.is_primitive or m.is_none)]
        for member in exact or sorted(loose, key=lambda one: one.hint is float):
            if not member.is_dataclass:
                return self.encode(value, member)
        raise TypeError(f"{type(value).__name__} is none of {tuple(member.hint for member in members)}")

    def _tuple(self, value: tuple[Any, ...], kinds: tuple[Any, ...]) -> list[Any]:
        if len(kinds) == 2 and kinds[1] is Ellipsis:
            return [self.encode(item, kinds[0]) for item in value]
        if len(kinds) != len(value):
            raise TypeError(f"a tuple of {len(value)} cannot travel as one of {len(kinds)}")
        return [self.encode(item, kind) for item, kind in zip(value, kinds, strict=True)]

    def _buffer(self, value: Buffer) -> int:
        self.buffers.append(value)
        return len(self.buffers) - 1


class _Decoder:
    def __init__(self, buffers: list[Buffer]) -> None:
        self._buffers = buffers
        self._used = 0

    def finish(self) -> None:
        if self._used != len(self._buffers):
            raise WorkerProtocolError("the worker sent buffers that belong to no value")

    def decode(self, value: Any, hint: _Hint) -> Any:
        if hint.is_primitive:
            right = _is_primitive(value, hint.hint)
            return _expect(right, value, hint, lambda: _plain(value, hint))
        if len(hint.members) > 1:
            return self._union(value, hint)
        if hint.is_dataclass:
            return self._instance(value, hint)
        if hint.is_none:
            return _expect(value is None, value, hint, lambda: None)
        if hint.is_enum:
            known = hint.values
            return _expect(type(value) is str and value in known, value, hint, lambda: known[value])
        if hint.origin is np.ndarray or hint.hint is bytes:
            return self._buffer(value, hint)
        if hint.origin is tuple:
            return self._tuple(value, hint)
        if hint.is_mapping and isinstance(value, dict):
            kind = hint.arguments[1]
            items = cast("dict[str, Any]", value).items()
            return {name: self.decode(item, kind) for name, item in items}
        raise _mismatch(value, hint)

    def tagged(self, value: Any, accepted: tuple[_Hint, ...]) -> Any:
        if not isinstance(value, dict):
            raise _mismatch(cast("object", value), *accepted)
        rest = dict(cast("dict[str, Any]", value))
        name: object = rest.pop(_TAG, None)
        for owner in accepted:
            if name == owner.hint.__name__:
                return self._instance(rest, owner)
        raise _mismatch(name, *accepted)

    def _union(self, value: Any, hint: _Hint) -> Any:
        if value is None and any(member.is_none for member in hint.members):
            return None
        owners = tuple(member for member in hint.members if member.is_dataclass)
        if owners and isinstance(value, dict):
            return self.tagged(cast("object", value), owners)
        others = [member for member in hint.members if not (member.is_none or member.is_dataclass)]
        exact = [member for member in others if type(value) is member.hint]
        loose = [member for member in others if not member.is_primitive or member.hint is float]
        for member in exact or loose:
            return self.decode(value, member)
        raise _mismatch(value, hint)

    def _instance(self, value: Any, owner: _Hint) -> Any:
        fields = owner.fields
        if not isinstance(value, dict) or cast("dict[str, object]", value).keys() != fields.keys():
            raise _mismatch(cast("object", value), owner)
        return owner.hint(**{name: self.decode(value[name], kind) for name, kind in fields.items()})

    def _tuple(self, value: Any, hint: _Hint) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _mismatch(value, hint)
        items, kinds = cast("list[Any]", value), hint.arguments
        if len(kinds) == 2 and kinds[1] is Ellipsis:
            return tuple(self.decode(item, kinds[0]) for item in items)
        if len(items) != len(kinds):
            raise _mismatch(items, hint)
        return tuple(self.decode(item, kind) for item, kind in zip(items, kinds, strict=True))

    def _buffer(self, value: Any, hint: _Hint) -> Buffer:
        if type(value) is not int or value != self._used or value >= len(self._buffers):
            raise _mismatch(value, hint)
        self._used += 1
        buffer = self._buffers[value]
        if isinstance(buffer, bytes) is not (hint.hint is bytes):
            raise _mismatch(buffer, hint)
        return buffer


def _key(name: object) -> str:
    if type(name) is not str:
        raise TypeError(f"a mapping's key must be text, not {type(name).__name__}")
    return name


def _is_primitive(value: object, hint: Any) -> bool:
    return (
        type(value) is hint
        or (hint is float and type(value) is int)
        or (hint is str and isinstance(value, str))
    )


def _plain(value: Any, hint: _Hint) -> Any:
    try:
        return hint.hint(value)
    except OverflowError as error:
        raise _mismatch("a huge integer", hint) from error


def _expect(right: bool, value: object, hint: _Hint, result: Callable[[], T]) -> T:
    if not right:
        raise _mismatch(value, hint)
    return result()


def _mismatch(value: object, *hints: _Hint) -> WorkerProtocolError:
    due = " or ".join(str(hint.hint) for hint in hints)
    return WorkerProtocolError(f"the worker sent {value!r:.80} where {due:.120} was due")
