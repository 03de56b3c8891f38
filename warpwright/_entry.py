"""The entry of every process of warpwright: the command, the server, the supervisor of a home.

`warpwright`, `python -m warpwright` and running `__main__.py` are the same. Its four packages have plain names
(agent, tools, sandbox, prompts), which a project on PYTHONPATH or in the current folder may have as well; from the
first call on they mean the ones that lie beside this package. Nothing else is found differently, and workers need
none of it: they start without the environment and without site-packages.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

OWN = frozenset({"agent", "tools", "sandbox", "prompts", "warpwright"})
_HERE = Path(__file__).resolve().parents[1]
_GARBAGE = 50_000
"""Objects made between two searches for cycles, as in a worker: a thousand modules hold few, and all stay."""


class _OwnFirst(MetaPathFinder):
    """Finds our top-level names beside this package, whatever else the path holds."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None and fullname in OWN:
            return PathFinder.find_spec(fullname, [str(_HERE)], target)
        return None


def find_own_first() -> None:
    """Have our packages found before others of their names.

    Raises:
        ImportError: The program has imported a package of one of these names already.
    """
    if any(isinstance(finder, _OwnFirst) for finder in sys.meta_path):
        return
    for name in sorted(OWN & set(sys.modules)):
        file = getattr(sys.modules[name], "__file__", None)
        if file is None or not Path(file).resolve().is_relative_to(_HERE):
            msg = (
                f"this program has imported a package {name!r} of its own ({file}), and warpwright has one of that"
                " name: call it from a process of its own, for example `python -m warpwright check ... --json`"
            )
            raise ImportError(msg)
    sys.meta_path.insert(0, _OwnFirst())


def main() -> None:
    """Run the `warpwright` command and exit with its status."""
    find_own_first()
    gc.set_threshold(_GARBAGE)
    try:
        if sys.argv[1:] == [
            "--version"
        ]:  # scripts ask it before every use, and reading all commands takes long
            from agent.cli.version import print_version

            print_version()
            return
        from agent.cli.app import app

        app(prog_name="warpwright")
    except KeyboardInterrupt:  # before the command's own work had begun
        sys.stderr.write("warpwright: interrupted\n")
        sys.exit(130)
