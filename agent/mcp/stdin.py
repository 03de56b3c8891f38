"""Standard input of a server: it can be ended from this side, and what no JSON reader takes is taken out of it."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""An escape of a JSON text; its group is half of a surrogate pair that stands alone."""
_REPLACEMENT = rb"\ufffd"
_CHUNK = 1 << 16
_LONGEST_LINE = 16 << 20


def readable(line: bytes) -> bytes:
    r"""Return a line of JSON with U+FFFD for each lone surrogate: readers refuse the whole line for one of them."""
    if b"\\u" not in line:
        return line
    return _ESCAPE.sub(lambda found: _REPLACEMENT if found[1] else found[0], line)


def interruptible_stdin() -> Callable[[], None]:
    """Put a socket in the place of descriptor 0, fed from the real input; return what ends it.

    The transport reads in a thread that nothing can wake, so a signal could not end the server in order.
    """
    source = os.dup(0)
    reading, writing = socket.socketpair()
    os.dup2(reading.fileno(), 0)
    reading.close()

    def feed() -> None:
        # An error means that it was ended from the other side: either way there is no more input.
        with suppress(OSError):
            begun = bytearray()
            while data := os.read(source, _CHUNK):
                begun += data
                whole, newline, rest = begun.rpartition(b"\n")
                if newline or len(begun) > _LONGEST_LINE:
                    writing.sendall(readable(bytes(whole + newline if newline else begun)))
                    begun = bytearray(rest) if newline else bytearray()
            writing.sendall(readable(bytes(begun)))
            writing.shutdown(socket.SHUT_WR)

    def end() -> None:
        with suppress(OSError):
            writing.shutdown(socket.SHUT_WR)

    threading.Thread(target=feed, name="stdin", daemon=True).start()
    return end
