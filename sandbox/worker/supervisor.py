"""The first process of a container: passes bytes between its streams and the worker, and ends with either side.

Run by path with the arguments of the interpreter that runs the worker; needs the standard library only. Where
process 1 of a pid namespace ends, the kernel kills all the others in it (pid_namespaces(7)): nothing outlives it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import sys
import threading

WORKER_FD = 3
"""The descriptor under which the worker finds its socket."""

_PR_SET_DUMPABLE = 4
_CHUNK = 1 << 20
_DRAIN_SECONDS = 1.0


def main(argv: list[str]) -> int:
    """Start the worker, pass its bytes on, and return its status, 128 + the signal where one killed it."""
    # The worker runs as the same user: without this it could trace this process, and write to its streams.
    if ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError("prctl(PR_SET_DUMPABLE) failed")
    ours, theirs = socket.socketpair()
    worker = os.posix_spawn(
        sys.executable, [sys.executable, *argv], {**os.environ, "PATH": ""},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, 2, 1),  # what it prints is not part of its answer
            (os.POSIX_SPAWN_DUP2, theirs.fileno(), WORKER_FD),
        ],
    )  # fmt: skip
    theirs.close()
    threading.Thread(target=_inward, args=(ours,), daemon=True).start()
    outward = threading.Thread(target=_outward, args=(ours,), daemon=True)
    outward.start()
    ended, status = os.wait()
    while ended != worker:  # what the worker forked and left to us
        ended, status = os.wait()
    outward.join(_DRAIN_SECONDS)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _inward(connection: socket.socket) -> None:
    while data := os.read(0, _CHUNK):
        with contextlib.suppress(OSError):  # a worker that closed its end; the end of our input still counts
            connection.sendall(data)
    os._exit(0)  # nobody is left to answer


def _outward(connection: socket.socket) -> None:
    buffer = memoryview(bytearray(_CHUNK))
    while count := connection.recv_into(buffer):
        done = 0
        while done < count:
            done += os.write(1, buffer[done:count])


if __name__ == "__main__":
    # Not sys.exit: a thread may still hold a stream.
    os._exit(main(sys.argv[1:]))
