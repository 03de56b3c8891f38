"""Whether the process that owns a run still lives; a process id alone may be another's by now."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SILENT_S = 60.0
"""A process of another machine that said nothing for so long is taken for gone."""


@dataclass(frozen=True)
class Owner:
    """A process: its id, and when it started in the kernel's own clock ticks ("" where that is not known).

    Attributes:
        place: Where its id means something, see `this_place`; "" is here.
    """

    pid: int
    started: str
    place: str = ""

    @property
    def here(self) -> bool:
        """Whether it runs, or ran, where this process can see it."""
        return self.place in ("", this_place())

    @property
    def alive(self) -> bool:
        """Whether this very process still runs, as far as it is here."""
        return process_started(self.pid) == self.started

    def lives(self, beat: float) -> bool:
        """Whether it still runs; one that is elsewhere is known by when it was last heard, in epoch seconds."""
        return self.alive if self.here else time.time() - beat < SILENT_S


def this_process() -> Owner:
    """Return the running process."""
    pid = os.getpid()
    return Owner(pid, process_started(pid) or "", this_place())


@cache
def this_place() -> str:
    """Return what process ids count for: one boot of one machine, and there one namespace; "" without /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


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
