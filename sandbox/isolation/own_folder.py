"""Keeps a program of the user's own to a folder: it needs the network and its credentials, so it is no worker.

It reads what its user can read, but for what is hidden; it writes to its folder, to a private /tmp and to what it is
given; it sees no process but its own, and all of them end with the first. Of /tmp it sees its own file, where it
lies there.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import MissingDependencyError
from sandbox.isolation import bubblewrap

_BROKERS = ("/run/user", "/run/docker.sock", "/run/podman", "/run/containerd")
"""Sockets by which others would act for it, outside."""
_PROBE_SECONDS = 15


@dataclass(frozen=True)
class OwnFolder:
    """How far a program is kept to a folder.

    Attributes:
        program: The `bwrap` that does it; None where none can here.
        reason: Why none can; empty otherwise.
    """

    program: Path | None
    reason: str = ""

    def command(
        self, argv: Sequence[str], folder: Path, hidden: Iterable[Path], writable: Iterable[Path]
    ) -> list[str]:
        """Return the command that starts a program in a folder.

        Args:
            argv: The program and its arguments.
            folder: Its own, where it starts.
            hidden: Folders that it is not to see.
            writable: Files and folders beside its own that it may change.
        """
        if self.program is None:
            return list(argv)
        words = [*_alone(self.program), "--tmpfs", "/tmp"]
        if Path(argv[0]).is_relative_to("/tmp"):
            words += ["--ro-bind", argv[0], argv[0]]
        for path in (*map(Path, _BROKERS), *hidden):
            if path.is_dir():
                words += ["--tmpfs", str(path.resolve())]
            elif path.exists():
                words += ["--ro-bind", "/dev/null", str(path.resolve())]
        for path in (*writable, folder):
            words += ["--bind", str(path), str(path)]
        return [*words, "--chdir", str(folder), "--", *argv]


def own_folder() -> OwnFolder:
    """Return what this machine can do; a program that is not kept to its folder is the caller's to announce."""
    try:
        program = bubblewrap.find().program
    except MissingDependencyError as error:
        return OwnFolder(None, str(error))
    try:
        tried = subprocess.run(
            [*_alone(program), "--", "true"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return OwnFolder(None, str(error))
    if tried.returncode != 0:
        return OwnFolder(None, tried.stderr.decode(errors="replace").strip()[:300])
    return OwnFolder(program)


def _alone(program: Path) -> list[str]:
    return [
        str(program), "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
        "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
    ]  # fmt: skip
