"""`python -m agent.supervisor HOME [IDLE_SECONDS]`: do the jobs of a home until there are none for a while."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from agent.home import Home
from agent.supervisor.presence import presence
from agent.supervisor.supervising import IDLE_S, supervise

_NICE = 5
_AUTOGROUP = Path("/proc/self/autogroup")


def _give_way() -> None:
    """Let the servers whose clients wait go first, where there are too few cores for all.

    Linux shares out the processors by session where autogroups are on (sched(7)); niceness then counts within
    the session only, and the session has one of its own.
    """
    os.nice(_NICE)
    with suppress(OSError):  # not Linux, or a kernel without autogroups
        _AUTOGROUP.write_text(f"{_NICE}\n")


async def _supervise(home: Home, idle_s: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await supervise(home, stop, idle_s)


def main(words: list[str]) -> None:
    """Be the supervisor of a home; end at once where another process is."""
    home = Home(Path(words[0]).absolute())
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(process)d %(message)s")
    with presence(home) as mine:
        if mine:
            _give_way()
            os.chdir(home.root)  # or it would hold the folder that its first client began in
            asyncio.run(_supervise(home, float(words[1]) if len(words) > 1 else IDLE_S))


if __name__ == "__main__":
    main(sys.argv[1:])
