"""The parent's end of a connection to a worker. Workers need no asyncio: a seventh of the time they take to start."""

from __future__ import annotations

import asyncio
import socket

from sandbox.wire import (
    PREAMBLE_BYTES,
    EndOfStreamError,
    Message,
    MessageLimits,
    bytes_view,
    header_length,
    pack,
    parse_header,
)

_TURN_BYTES = 4 << 20
"""What is read or written in a row before others have their turn: a busy socket never makes anybody wait."""


class AsyncChannel:
    """The parent's end, on asyncio. The socket must be non-blocking; the caller closes it."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.sent = 0
        """Bytes so far."""
        self.received = 0
        """Bytes so far."""

    async def send(self, message: Message, limits: MessageLimits) -> None:
        """Write one message.

        Raises:
            WorkerProtocolError: It is over the limit; nothing was written then.
            OSError: The worker is gone.
        """
        loop = asyncio.get_running_loop()
        for part in pack(message, limits):
            view = memoryview(part)
            for start in range(0, len(view), _TURN_BYTES):
                piece = view[start : start + _TURN_BYTES]
                await loop.sock_sendall(self._socket, piece)
                self.sent += len(piece)
                await asyncio.sleep(0)

    async def receive(self, limits: MessageLimits) -> Message:
        """Read one message; what the worker sends is not trusted.

        Raises:
            EndOfStreamError: The worker is gone.
            WorkerProtocolError: What arrived is not a message, or over the limit.
            OSError: The worker is gone.
        """
        length = header_length(await self._exactly(PREAMBLE_BYTES, first=True), limits)
        outline = parse_header(await self._exactly(length), limits)
        arrays = outline.allocate()
        for _, _, array in arrays:
            await self._fill(bytes_view(array))
        return outline.message(arrays)

    async def _exactly(self, count: int, *, first: bool = False) -> bytes:
        buffer = bytearray(count)
        await self._fill(memoryview(buffer), first=first)
        return bytes(buffer)

    async def _fill(self, view: memoryview, *, first: bool = False) -> None:
        loop = asyncio.get_running_loop()
        done = turn = 0
        while done < len(view):
            count = await loop.sock_recv_into(self._socket, view[done:])
            if not count:
                raise EndOfStreamError(clean=first and not done)
            done += count
            self.received += count
            if done - turn >= _TURN_BYTES:
                turn = done
                await asyncio.sleep(0)
