"""Lines that a person types while a command's other work goes on."""

from __future__ import annotations

import asyncio
import os


class TypedLines:
    """Reads standard input a line at a time; a wait for one ends with the command, unlike a thread's."""

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._rest = b""

    async def line(self) -> str | None:
        """Return the next line without its end; None at the end of input."""
        while b"\n" not in self._rest:
            more = await self._more()
            if not more:
                last, self._rest = self._rest, b""
                return last.decode(errors="replace") or None
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace").removesuffix("\r")

    async def _more(self) -> bytes:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            loop.add_reader(self._fd, ready.set)
        except PermissionError:  # a file, or /dev/null: never has to be waited for
            return os.read(self._fd, 1 << 16)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._fd)
        return os.read(self._fd, 1 << 16)
