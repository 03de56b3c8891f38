"""Messages of `sandbox.wire` in a file: what one program leaves for another that no socket joins to it."""

from __future__ import annotations

from typing import BinaryIO

from sandbox.errors import WorkerProtocolError
from sandbox.wire import PREAMBLE_BYTES, Message, MessageLimits, bytes_view, header_length, pack, parse_header

LIMITS = MessageLimits(total=16 << 30)
"""Inputs at a benchmark's sizes fit."""


def append(file: BinaryIO, message: Message) -> None:
    """Write a message at the file's position.

    Raises:
        WorkerProtocolError: It is over the limit.
    """
    for part in pack(message, LIMITS):
        file.write(part)


def read(file: BinaryIO) -> Message | None:
    """Read the next message, None at the end of the file.

    Raises:
        WorkerProtocolError: What is there is no whole message.
    """
    preamble = file.read(PREAMBLE_BYTES)
    if not preamble:
        return None
    outline = parse_header(file.read(header_length(preamble, LIMITS)), LIMITS)
    arrays = outline.allocate()
    for name, _, array in arrays:
        view = bytes_view(array)
        if len(view) and file.readinto(view) != len(view):  # type: ignore[attr-defined]
            raise WorkerProtocolError(f"the file ends in the middle of {name}")
    return outline.message(arrays)
