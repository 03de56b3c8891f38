"""Where runs live on this machine."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import typer


@dataclass(frozen=True)
class Home:
    """The folder of runs, caches and databases; parts of it are made when first written to."""

    root: Path

    @property
    def runs(self) -> Path:
        """One folder a run, with its kernels and `best.cu`."""
        return self.root / "runs"

    @property
    def tasks(self) -> Path:
        """Tasks that did not come with warpwright, one folder each."""
        return self.root / "tasks"

    @property
    def compile_cache(self) -> Path:
        """Compiled programs by content; may be deleted at any time."""
        return self.root / "cache" / "compile"

    @property
    def database(self) -> Path:
        """The run store."""
        return self.root / "warpwright.db"

    def tenant(self, name: str) -> Home:
        """Return the home of what one holder of a token keeps for itself."""
        return Home(self.root / "tenants" / name)

    @property
    def tokens(self) -> Path:
        """Who may use this machine's server over HTTP."""
        return self.root / "tokens.json"

    @property
    def checkpoints(self) -> Path:
        """The graph's checkpoints."""
        return self.root / "checkpoints.db"


def obstacle(home: Home) -> str | None:
    """Return why a home cannot be written, and what to do; None where it can. Makes the folder if it must."""
    try:
        home.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home.root):
            return None
    except OSError as error:
        reason = error.strerror or str(error)
        return f"the home {home.root} cannot be written ({reason}): set WARPWRIGHT_HOME to a folder of yours"


def home() -> Home:
    """Return the home of this process: `WARPWRIGHT_HOME`, else the platform's folder for application data."""
    chosen = os.environ.get("WARPWRIGHT_HOME")
    root = Path(chosen).expanduser() if chosen else Path(typer.get_app_dir("warpwright"))
    return Home(root.absolute())
