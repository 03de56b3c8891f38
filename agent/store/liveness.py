"""Whether the process that owns a run still lives; a process id alone may be another's by now."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    """A process: its id, and when it started in the kernel's own clock ticks ("" where that is not known)."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return process_started(self.pid) == self.started


def this_process() -> Owner:
    """Return the running process."""
    pid = os.getpid()
    return Owner(pid, process_started(pid) or "")


def process_started(pid: int) -> str | None:
    """Return when a process started, as /proc tells it; "" without /proc, None where it is gone."""
    if not Path("/proc/self/stat").exists():
        return _started_without_proc(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in parentheses and may hold spaces: count after the last one.
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return None if state in "ZX" else started


def _started_without_proc(pid: int) -> str | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return ""
    return ""
