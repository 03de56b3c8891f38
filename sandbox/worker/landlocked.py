"""What a worker may read where it shares the host's file system: Landlock, in the kernel since Linux 5.13."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def restrict(*, readable: Iterable[str], listable: Iterable[str], usable: Iterable[str] = ()) -> None:
    """Refuse this thread all files but these, all TCP ports, and what else this kernel's Landlock can refuse.

    Signals and abstract sockets end at the worker where the kernel can do that (Linux 6.12).

    Args:
        readable: Files, and folders with all they hold. What does not exist is left out.
        listable: Folders whose names may be listed, with those below; their files stay closed.
        usable: Device nodes that may be opened and used.

    Raises:
        OSError: The kernel has no Landlock.
    """
    from landlockpy import (
        AccessFS,
        Ruleset,
        Scope,
    )  # only where it is used: bubblewrap's workers do not see it

    with Ruleset(scoped=Scope.ABSTRACT_UNIX_SOCKET | Scope.SIGNAL) as ruleset:
        for path in map(Path, readable):
            if path.exists():
                ruleset.allow_path(
                    path, AccessFS.READ_FILE | AccessFS.READ_DIR if path.is_dir() else AccessFS.READ_FILE
                )
        for path in listable:
            ruleset.allow_path(path, AccessFS.READ_DIR)
        for path in usable:
            ruleset.allow_path(path, AccessFS.READ_FILE | AccessFS.WRITE_FILE | AccessFS.IOCTL_DEV)
        ruleset.restrict()
