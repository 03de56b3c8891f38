"""One timing at a time per device, between all processes of this user: a lock on a file."""

from __future__ import annotations

import asyncio
import fcntl
import os
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

_POLL_SECONDS = 0.02


class DeviceLock:
    """Timings hold it alone, runs hold it together; the kernel frees it where a process ends."""

    def __init__(self, path: Path) -> None:
        """Use the file `path`, which is made when first needed."""
        self._path = path

    @asynccontextmanager
    async def held(self, *, alone: bool) -> AsyncGenerator[None]:
        """Wait until the device is free for a timing (`alone`), or from timings; then hold it.

        Raises:
            OSError: The file cannot be made.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            wanted = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
            while not _try(descriptor, wanted):
                await asyncio.sleep(_POLL_SECONDS)
            yield
        finally:
            os.close(descriptor)


def lock_path(name: str) -> Path:
    """Return where a device's lock lies: in the user's runtime folder, else in one of the user's below /tmp."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) if runtime else Path(tempfile.gettempdir()) / f"warpwright-{os.getuid()}"
    return folder / f"warpwright-{name.replace(':', '-')}.lock"


def _try(descriptor: int, wanted: int) -> bool:
    try:
        fcntl.flock(descriptor, wanted | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
