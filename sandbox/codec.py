"""Frozen dataclasses to JSON values and buffers, and back, led by their type hints.

What comes back from a worker is not trusted: every value must have exactly the declared type.
Arrays and bytes travel as raw buffers beside the JSON, in the order in which they are met.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
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
    body = encoder.encode(value, type(value))
    body[_TAG] = type(value).__name__
    return Message(body, tuple((str(index), buffer) for index, buffer in enumerate(encoder.buffers)))


def from_message(message: Message, *accepted: type[T]) -> T:
    """Decode a message into one of the accepted dataclasses.

    Raises:
        WorkerProtocolError: It is none of them, or a value is not of the declared type.
    """
    decoder = _Decoder([buffer for _, buffer in message.buffers])
    value = decoder.tagged(message.body, accepted)
    decoder.finish()
    return cast("T", value)


@cache
def _fields(owner: type) -> dict[str, Any]:
    hints = get_type_hints(owner)
    return {field.name: hints[field.name] for field in dataclasses.fields(owner)}


def _alternatives(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the hint itself."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _is_array(hint: Any) -> bool:
    return hint is np.ndarray or get_origin(hint) is np.ndarray


def _is_mapping(hint: Any) -> bool:
    return get_origin(hint) in (dict, Mapping)


class _Encoder:
    def __init__(self) -> None:
        self.buffers: list[Buffer] = []

    def encode(self, value: Any, hint: Any) -> Any:
        members = _alternatives(hint)
        if len(members) > 1:
            return self._union(value, members)
        if dataclasses.is_dataclass(hint) and type(value) is hint:
            return {name: self.encode(getattr(value, name), kind) for name, kind in _fields(hint).items()}
        if value is None and hint in (None, type(None)):
            return None
        if isinstance(hint, type) and issubclass(hint, Enum) and isinstance(value, hint):
            return value.value
        if _is_array(hint) and isinstance(value, np.ndarray):
            return self._buffer(cast("Buffer", value))
        if hint is bytes and isinstance(value, bytes):
            return self._buffer(value)
        if get_origin(hint) is tuple and isinstance(value, tuple):
            return self._tuple(cast("tuple[Any, ...]", value), get_args(hint))
        if _is_mapping(hint) and isinstance(value, Mapping):
            items = cast("Mapping[str, Any]", value).items()
            return {_key(name): self.encode(item, get_args(hint)[1]) for name, item in items}
        if hint in _PRIMITIVES and _is_primitive(value, hint):
            return value
        raise TypeError(f"{type(value).__name__} cannot travel as {hint}")

    def _union(self, value: Any, members: tuple[Any, ...]) -> Any:
        for member in members:
            if dataclasses.is_dataclass(member) and type(value) is member:
                return {_TAG: cast("type", member).__name__, **self.encode(value, member)}
        if value is None and type(None) in members:
            return None
        exact = [member for member in members if type(value) is member]
        plain = [member for member in members if member not in _PRIMITIVES and member is not type(None)]
        for member in exact or [*plain, float]:
            if not dataclasses.is_dataclass(member) and (member in members):
                return self.encode(value, member)
        raise TypeError(f"{type(value).__name__} is none of {members}")

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

    def decode(self, value: Any, hint: Any) -> Any:
        members = _alternatives(hint)
        if len(members) > 1:
            return self._union(value, members)
        if dataclasses.is_dataclass(hint):
            return self._instance(value, cast("type", hint))
        if hint in (None, type(None)):
            return _expect(value is None, value, hint, lambda: None)
        if isinstance(hint, type) and issubclass(hint, Enum):
            known = {member.value: member for member in hint}
            return _expect(type(value) is str and value in known, value, hint, lambda: known[value])
        if _is_array(hint) or hint is bytes:
            return self._buffer(value, hint)
        if get_origin(hint) is tuple:
            return self._tuple(value, get_args(hint))
        if _is_mapping(hint):
            kind = get_args(hint)[1]
            if not isinstance(value, dict):
                raise _mismatch(value, hint)
            items = cast("dict[str, Any]", value).items()
            return {name: self.decode(item, kind) for name, item in items}
        right = hint in _PRIMITIVES and _is_primitive(value, hint)
        return _expect(right, value, hint, lambda: _plain(value, hint))

    def tagged(self, value: Any, accepted: tuple[Any, ...]) -> Any:
        if not isinstance(value, dict):
            raise _mismatch(cast("object", value), accepted)
        rest = dict(cast("dict[str, Any]", value))
        name: object = rest.pop(_TAG, None)
        for owner in accepted:
            if name == owner.__name__:
                return self._instance(rest, owner)
        raise _mismatch(name, accepted)

    def _union(self, value: Any, members: tuple[Any, ...]) -> Any:
        if value is None and type(None) in members:
            return None
        owners = tuple(member for member in members if dataclasses.is_dataclass(member))
        if owners and isinstance(value, dict):
            return self.tagged(cast("object", value), owners)
        others = [member for member in members if member is not type(None) and member not in owners]
        exact = [member for member in others if type(value) is member]
        loose = [member for member in others if member not in _PRIMITIVES or member is float]
        for member in exact or loose:
            return self.decode(value, member)
        raise _mismatch(value, members)

    def _instance(self, value: Any, owner: type) -> Any:
        fields = _fields(owner)
        if not isinstance(value, dict) or set(cast("dict[str, object]", value)) != set(fields):
            raise _mismatch(cast("object", value), owner)
        return owner(**{name: self.decode(value[name], kind) for name, kind in fields.items()})

    def _tuple(self, value: Any, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _mismatch(value, tuple)
        items = cast("list[Any]", value)
        if len(kinds) == 2 and kinds[1] is Ellipsis:
            return tuple(self.decode(item, kinds[0]) for item in items)
        if len(items) != len(kinds):
            raise _mismatch(items, kinds)
        return tuple(self.decode(item, kind) for item, kind in zip(items, kinds, strict=True))

    def _buffer(self, value: Any, hint: Any) -> Buffer:
        if type(value) is not int or value != self._used or value >= len(self._buffers):
            raise _mismatch(value, hint)
        self._used += 1
        buffer = self._buffers[value]
        if isinstance(buffer, bytes) is not (hint is bytes):
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


def _plain(value: Any, hint: Any) -> Any:
    try:
        return hint(value)
    except OverflowError as error:
        raise _mismatch("a huge integer", hint) from error


def _expect(right: bool, value: object, hint: Any, result: Callable[[], T]) -> T:
    if not right:
        raise _mismatch(value, hint)
    return result()


def _mismatch(value: object, hint: Any) -> WorkerProtocolError:
    return WorkerProtocolError(f"the worker sent {value!r:.80} where {hint!s:.120} was due")
