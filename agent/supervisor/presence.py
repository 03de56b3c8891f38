"""Whether a supervisor is there, and starting one: a lock file says it, held for as long as it lives."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from agent.home import Home

_ENTRY = Path(__file__).resolve().parents[2] / "warpwright" / "__main__.py"
_START_S = 20.0
"""How long a supervisor that was started may take before another one is."""

_TRIES, _BETWEEN_TRIES_S = 5, 0.05


@contextmanager
def presence(home: Home) -> Generator[bool, None, None]:
    """Be the supervisor of a home while inside; yields False where another process is."""
    home.root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(_lock(home), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _locked(descriptor):
            yield False
            return
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        try:
            yield True
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)  # gives the lock back


def _locked(descriptor: int) -> bool:
    """Take the lock. Whoever looks at it holds it for a moment too, so one refusal says nothing."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_BETWEEN_TRIES_S)
        else:
            return True
    return False


def supervisor_of(home: Home) -> int | None:
    """Return the process id of a home's supervisor; None where there is none, or one that just begins."""
    try:
        descriptor = os.open(_lock(home), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0)
        return int(text) if text.endswith(b"\n") else None
    finally:
        os.close(descriptor)


class Starter:
    """Starts a supervisor when there is work and none is there; safe to ask again and again."""

    def __init__(self, home: Home, idle_s: float | None = None) -> None:
        """Start nothing yet; a supervisor without work ends after `idle_s`, by default its own choice."""
        self._home = home
        self._idle_s = idle_s
        self._child: int | None = None
        self._since = 0.0

    def ensure(self) -> None:
        """Start a supervisor, unless there is one or one is just starting."""
        if supervisor_of(self._home) is not None or self._starting():
            return
        self._since = time.monotonic()
        self._child = _spawn(self._home, self._idle_s)

    def _starting(self) -> bool:
        if self._child is None:
            return False
        with suppress(ChildProcessError):
            if os.waitpid(self._child, os.WNOHANG)[0] == 0:
                return time.monotonic() - self._since < _START_S
        self._child = None
        return False


def _lock(home: Home) -> Path:
    return home.root / "supervisor.lock"


def _spawn(home: Home, idle_s: float | None) -> int:
    """Start a supervisor in a session of its own; it holds none of this process's descriptors."""
    home.root.mkdir(parents=True, exist_ok=True)
    # By path and with -P: neither PYTHONPATH nor the folder that the client happens to work in is asked for it.
    words = [sys.executable, "-P", str(_ENTRY), "supervise", str(home.root)]
    log = str(home.root / "supervisor.log")
    return os.posix_spawn(
        sys.executable,
        words if idle_s is None else [*words, str(idle_s)],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
