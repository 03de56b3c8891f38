"""The entry of every process of warpwright: the command, the server, the supervisor of a home.

`warpwright`, `python -m warpwright` and running this file are the same. Its four packages have plain names
(agent, tools, sandbox, prompts), which a project on PYTHONPATH or in the current folder may have as well; from here
on they mean the ones that lie beside this file. Nothing else is found differently, and workers need none of it: they
start without the environment and without site-packages.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

__version__ = "0.1.0"

OWN = frozenset({"agent", "tools", "sandbox", "prompts", "warpwright"})
_HERE = Path(__file__).resolve().parent


class _OwnFirst(MetaPathFinder):
    """Finds our top-level names beside this file, whatever else the path holds."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None and fullname in OWN:
            return PathFinder.find_spec(fullname, [str(_HERE)], target)
        return None


def main() -> None:
    """Run the `warpwright` command and exit with its status."""
    sys.meta_path.insert(0, _OwnFirst())
    from agent.cli.app import app

    app(prog_name="warpwright")


if __name__ == "__main__":
    main()
