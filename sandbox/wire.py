"""Messages between the parent and a worker: one line of JSON and raw buffers, length-limited, never pickle.

A message is a preamble of 24 bytes (`warpwright:` and the header's length in hexadecimal), the header
(one line of JSON: a body and a list of buffer descriptions), then the bytes of every buffer in order.
"""

from __future__ import annotations

import json
import math
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from sandbox.dtypes import DTYPE_BYTES, numpy_dtype
from sandbox.errors import WorkerProtocolError

Array = np.ndarray[Any, Any]
Buffer = Array | bytes

_MAGIC = b"warpwright:"
_DIGITS = 12
PREAMBLE_BYTES = len(_MAGIC) + _DIGITS + 1
"""Length of the fixed part that starts every message."""

BYTES = "bytes"
"""The dtype that marks a buffer of plain bytes."""

_MAX_DIMENSIONS = 8
_MAX_BUFFERS = 4096


@dataclass(frozen=True)
class MessageLimits:
    """How long a message may be, bytes: its JSON header, and header and buffers together."""

    header: int = 64 << 20
    total: int = 4 << 30


@dataclass(frozen=True)
class Message:
    """A body of plain JSON values, and named buffers beside it."""

    body: Any
    buffers: tuple[tuple[str, Buffer], ...] = ()


def _dtype(name: str) -> np.dtype[Any]:
    if name not in DTYPE_BYTES:
        raise WorkerProtocolError(f"a buffer has the unknown dtype {name!r:.60}")
    return numpy_dtype(name)


def pack(message: Message, limits: MessageLimits) -> list[memoryview | bytes]:
    """Return the parts of an encoded message, to be written one after the other; buffers are not copied.

    Raises:
        WorkerProtocolError: The message is over a limit, or a buffer has a dtype that may not cross.
    """
    described: list[dict[str, object]] = []
    raw: list[memoryview | bytes] = []
    for name, buffer in message.buffers:
        if isinstance(buffer, bytes):
            described.append({"name": name, "dtype": BYTES, "shape": [len(buffer)]})
            raw.append(buffer)
            continue
        array = np.ascontiguousarray(buffer)
        native = _dtype(array.dtype.name)
        array = array.astype(native, copy=False).reshape(buffer.shape)
        described.append({"name": name, "dtype": array.dtype.name, "shape": list(array.shape)})
        raw.append(bytes_view(array))
    text = json.dumps({"body": message.body, "buffers": described}, separators=(",", ":"))
    header = text.encode() + b"\n"
    total = len(header) + sum(len(part) for part in raw)
    _check_lengths(len(header), total, limits)
    preamble = _MAGIC + f"{len(header):0{_DIGITS}x}".encode() + b"\n"
    return [preamble + header, *raw]


def header_length(preamble: bytes, limits: MessageLimits) -> int:
    """Return the header's length that a preamble announces, bytes.

    Raises:
        WorkerProtocolError: It is no preamble, or the length is over the limit.
    """
    digits = preamble[len(_MAGIC) : -1]
    shaped = len(preamble) == PREAMBLE_BYTES and preamble.startswith(_MAGIC) and preamble.endswith(b"\n")
    if not shaped or any(digit not in b"0123456789abcdef" for digit in digits):
        raise WorkerProtocolError("the worker sent something that is not a message")
    length = int(digits, 16)
    _check_lengths(length, length, limits)
    return length


@dataclass(frozen=True)
class Outline:
    """A parsed header: the body, and name, dtype and shape of every buffer that follows."""

    body: Any
    buffers: tuple[tuple[str, str, tuple[int, ...]], ...]

    def allocate(self) -> list[tuple[str, str, Array]]:
        """Return an uninitialised array for every buffer, plain bytes as uint8."""
        return [
            (name, dtype, np.empty(shape, np.uint8 if dtype == BYTES else _dtype(dtype)))
            for name, dtype, shape in self.buffers
        ]

    def message(self, arrays: Sequence[tuple[str, str, Array]]) -> Message:
        """Return the message whose buffers `allocate` made and somebody filled."""
        buffers = tuple((name, array.tobytes() if dtype == BYTES else array) for name, dtype, array in arrays)
        return Message(self.body, buffers)


def parse_header(header: bytes, limits: MessageLimits) -> Outline:
    """Parse a header strictly; nothing is allocated that the limits do not allow.

    Raises:
        WorkerProtocolError: It is not the JSON that `pack` writes, or the message would be over the limit.
    """
    try:
        parsed: object = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise WorkerProtocolError("the worker sent a header that is not JSON") from error
    if not isinstance(parsed, dict) or set(cast("dict[str, object]", parsed)) != {"body", "buffers"}:
        raise WorkerProtocolError("the worker sent a header without body and buffers")
    fields = cast("dict[str, object]", parsed)
    listed = fields["buffers"]
    if not isinstance(listed, list) or len(cast("list[object]", listed)) > _MAX_BUFFERS:
        raise WorkerProtocolError("the worker sent a bad list of buffers")
    buffers = tuple(_described(entry) for entry in cast("list[object]", listed))
    _check_lengths(len(header), len(header) + sum(_size(buffer) for buffer in buffers), limits)
    return Outline(fields["body"], buffers)


def _described(entry: object) -> tuple[str, str, tuple[int, ...]]:
    if not isinstance(entry, dict) or set(cast("dict[str, object]", entry)) != {"name", "dtype", "shape"}:
        raise WorkerProtocolError("the worker sent a bad description of a buffer")
    name, dtype, listed = (cast("dict[str, object]", entry)[key] for key in ("name", "dtype", "shape"))
    if not isinstance(name, str) or not isinstance(dtype, str) or not isinstance(listed, list):
        raise WorkerProtocolError("the worker sent a bad description of a buffer")
    shape = cast("list[object]", listed)
    lengths = [length for length in shape if type(length) is int and 0 <= length < 1 << 48]
    if len(lengths) != len(shape) or len(shape) > _MAX_DIMENSIONS:
        raise WorkerProtocolError("the worker sent a buffer with a bad shape")
    if dtype == BYTES and len(shape) != 1:
        raise WorkerProtocolError("the worker sent bytes with a shape")
    return name, dtype, tuple(lengths)


def _size(buffer: tuple[str, str, tuple[int, ...]]) -> int:
    _, dtype, shape = buffer
    return math.prod(shape) * (1 if dtype == BYTES else _dtype(dtype).itemsize)


def _check_lengths(header: int, total: int, limits: MessageLimits) -> None:
    if header > limits.header or total > limits.total:
        raise WorkerProtocolError(
            f"a message of {total} bytes (header {header}) is over the limit "
            f"of {limits.total} bytes (header {limits.header})"
        )


def bytes_view(array: Array) -> memoryview:
    """Return the bytes of a contiguous array, to be read or filled."""
    return array.reshape(-1).view(np.uint8).data


class EndOfStreamError(WorkerProtocolError):
    """The other side closed the connection; `clean` when that happened between two messages."""

    def __init__(self, *, clean: bool) -> None:
        super().__init__("the connection was closed" + ("" if clean else " in the middle of a message"))
        self.clean = clean


class BlockingChannel:
    """The worker's end: blocking calls on a private socket."""

    def __init__(self, connection: socket.socket, limits: MessageLimits) -> None:
        self._socket = connection
        self._limits = limits

    def send(self, message: Message) -> None:
        """Write one message.

        Raises:
            WorkerProtocolError: It is over the limit; nothing was written then.
            OSError: The parent is gone.
        """
        for part in pack(message, self._limits):
            self._socket.sendall(part)

    def receive(self) -> Message:
        """Read one message.

        Raises:
            EndOfStreamError: The parent closed its end.
            WorkerProtocolError: What arrived is not a message.
        """
        length = header_length(self._exactly(PREAMBLE_BYTES, first=True), self._limits)
        outline = parse_header(self._exactly(length), self._limits)
        arrays = outline.allocate()
        for _, _, array in arrays:
            self._fill(bytes_view(array))
        return outline.message(arrays)

    def _exactly(self, count: int, *, first: bool = False) -> bytes:
        buffer = bytearray(count)
        self._fill(memoryview(buffer), first=first)
        return bytes(buffer)

    def _fill(self, view: memoryview, *, first: bool = False) -> None:
        done = 0
        while done < len(view):
            count = self._socket.recv_into(view[done:])
            if not count:
                raise EndOfStreamError(clean=first and not done)
            done += count


if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("warpwright's wire format and GPU buffers are little-endian; this machine is not")
