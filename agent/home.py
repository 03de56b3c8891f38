"""Where runs live on this machine."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import typer

from sandbox.errors import MissingDependencyError


@dataclass(frozen=True)
class Home:
    """The folder of runs, caches and databases; parts of it are made when first written to."""

    root: Path

    def problem(self) -> str | None:
        """Return why nothing can be kept here, with what to do; None where it can. Makes the folder."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                return None
        except OSError as error:
            said = f"the home {self.root} cannot be written ({error.strerror or error})"
            return f"{said}; set WARPWRIGHT_HOME to a folder that can"

    @property
    def runs(self) -> Path:
        """One folder a run, with its kernels and `best.cu`."""
        return self.root / "runs"

    @property
    def tasks(self) -> Path:
        """Tasks that did not come with warpwright, one folder each."""
        return self.root / "tasks"

    @property
    def imported(self) -> Path:
        """Tasks that searches were given as something else (a kernel, a module), one folder each by its content."""
        return self.root / "imported"

    @property
    def suites(self) -> Path:
        """Suites that were asked for, one folder each; their searches are ordinary runs."""
        return self.root / "suites"

    @property
    def features(self) -> Path:
        """Pages of features that planners named themselves and that earned their place."""
        return self.root / "features"

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
    def page_key(self) -> Path:
        """The key by which pages seal what they leave in browsers."""
        return self.root / "pages.key"

    @property
    def checkpoints(self) -> Path:
        """The graph's checkpoints."""
        return self.root / "checkpoints.db"


def home() -> Home:
    """Return the home of this process: `WARPWRIGHT_HOME`, else the platform's folder for application data.

    Raises:
        MissingDependencyError: It cannot be made or written.
    """
    found = named_home()
    if (problem := found.problem()) is not None:
        raise MissingDependencyError(problem)
    return found


def named_home() -> Home:
    """Return the home of this process, be it usable or not."""
    chosen = os.environ.get("WARPWRIGHT_HOME")
    root = Path(chosen).expanduser() if chosen else Path(typer.get_app_dir("warpwright"))
    return Home(root.absolute())
