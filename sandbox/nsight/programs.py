"""Running one of NVIDIA's programs: found, bounded in time and output, and never waited for in vain.

A program that asks a driver in trouble may not even die when it is killed (it sleeps in the kernel), so whoever
waits for it gives it up instead: that is why `subprocess.run(timeout=...)`, which waits once more, is not used.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_FOLDERS = (
    "/usr/local/cuda/bin",
    "/usr/local/cuda/compute-sanitizer",
    "/usr/local/cuda/nsight-compute-*",
    "/opt/nvidia/nsight-compute/*",
    "/usr/lib/wsl/lib",
)
_POLL_SECONDS = 0.02
_REAP_SECONDS = 2.0
_FILE_BYTES = 1 << 30
_KEPT_BYTES = 4 << 20


@dataclass(frozen=True)
class Ended:
    """What became of a program.

    Attributes:
        status: Its exit status, negative for a signal; None where it was given up at its deadline.
        output: What it printed on both streams, the last megabytes of it.
    """

    status: int | None
    output: str


def find_program(name: str, folders: Sequence[str] = _FOLDERS) -> Path | None:
    """Return a program on the PATH, else where NVIDIA's installers put it, the newest first; None if nowhere."""
    found = shutil.which(name)
    if found:
        return Path(found)
    for pattern in folders:
        head, _, last = pattern.rpartition("/")
        for folder in sorted(Path(head).glob(last), reverse=True) if Path(head).is_dir() else ():
            candidate = folder / name
            if os.access(candidate, os.X_OK) and candidate.is_file():
                return candidate
    return None


def ask(argv: Sequence[str], *, deadline_s: float, environment: Mapping[str, str] | None = None) -> Ended:
    """Run a program to its end or its deadline, in a session of its own, and kill what is left of it."""
    with _Running(argv, None, environment) as running:
        give_up = time.monotonic() + deadline_s
        while running.alive and time.monotonic() < give_up:
            time.sleep(_POLL_SECONDS)
        return running.ended()


async def ask_async(
    argv: Sequence[str], *, deadline_s: float, folder: Path, environment: Mapping[str, str]
) -> Ended:
    """Do as `ask` without blocking the loop; cancelling kills the program."""
    with _Running(argv, folder, environment) as running:
        give_up = time.monotonic() + deadline_s
        while running.alive and time.monotonic() < give_up:
            await asyncio.sleep(_POLL_SECONDS)
        return running.ended()


class _Running:
    """A program under way; leaving the context kills it and all it started."""

    def __init__(
        self, argv: Sequence[str], folder: Path | None, environment: Mapping[str, str] | None
    ) -> None:
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed on leaving
        self._process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT, cwd=folder,
            env=None if environment is None else dict(environment), start_new_session=True,
        )  # fmt: skip
        with contextlib.suppress(OSError):  # it has ended already
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ended(self) -> Ended:
        status = self._process.poll()
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _KEPT_BYTES))
        return Ended(status, self._output.read().decode(errors="replace"))

    def __enter__(self) -> _Running:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP_SECONDS)
        self._output.close()
