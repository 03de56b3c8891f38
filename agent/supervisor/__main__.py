"""`python -m agent.supervisor HOME [IDLE_SECONDS]`: do the jobs of a home until there are none for a while."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from agent.home import Home
from agent.supervisor.presence import presence
from agent.supervisor.supervising import IDLE_S, supervise


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
            os.chdir(home.root)  # or it would hold the folder that its first client began in
            asyncio.run(_supervise(home, float(words[1]) if len(words) > 1 else IDLE_S))


if __name__ == "__main__":
    main(sys.argv[1:])
