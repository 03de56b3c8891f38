"""A Ray of this machine's own for one process: `python -m tools.cluster.local_head` holds it until its input ends.

So it ends with whoever started it, however that comes about. `ray start --block` would not do: it has the kernel end
each process with the thread that began it, and a thread of the head begins one for each client and is gone.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

_END_S = 5.0
_FOLDER = "--temp-dir="


def main() -> None:
    """Run `ray start` with the arguments that are given; end what it started, and its folder, once no input comes."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    argv = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", *sys.argv[1:]]
    started = subprocess.run(argv, stdin=subprocess.DEVNULL, check=False)
    if started.returncode == 0:
        sys.stdin.buffer.read()
    # Ray's processes stay in this group; those that judge end with them.
    os.killpg(0, signal.SIGTERM)
    until = time.monotonic() + _END_S
    while _others_left() and time.monotonic() < until:
        time.sleep(0.05)
    for word in sys.argv:
        if word.startswith(_FOLDER):
            shutil.rmtree(word.removeprefix(_FOLDER), ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _others_left() -> bool:
    ours = os.getpgid(0)
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                if os.getpgid(int(name)) == ours:
                    return True
            except (ProcessLookupError, PermissionError):
                continue
    return False


if __name__ == "__main__":
    main()
