"""Kernels on disk, by content."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

_PRUNED = ".pruned"


def kernel_sha(text: str) -> str:
    """Return the sha256 of a kernel file's text."""
    return hashlib.sha256(text.encode()).hexdigest()


class KernelFiles:
    """The kernels of every run: `RUN/kernels/SHA.cu`, and `RUN/best.cu`. Writes are atomic."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs

    def folder(self, run: str) -> Path:
        """Return the folder of a run."""
        return self._runs / run

    def best_path(self, run: str) -> Path:
        """Return where a run's best kernel lies, or will."""
        return self.folder(run) / "best.cu"

    def keep(self, run: str, text: str) -> str:
        """Store a kernel and return its sha256."""
        sha = kernel_sha(text)
        path = self._path(run, sha)
        if not path.exists():
            write_atomically(path, text.encode())
        return sha

    def read(self, run: str, sha: str) -> str:
        """Return the text of a stored kernel."""
        return self._path(run, sha).read_bytes().decode()

    def write_best(self, run: str, text: str) -> Path:
        """Make this text the run's best kernel."""
        path = self.best_path(run)
        write_atomically(path, text.encode())
        return path

    def drop_best(self, run: str) -> None:
        """Forget the run's best kernel."""
        self.best_path(run).unlink(missing_ok=True)

    def mark_pruned(self, run: str) -> None:
        """Say that a run's folder goes once the run is forgotten; nothing where it has none."""
        if self.folder(run).is_dir():
            (self.folder(run) / _PRUNED).touch()

    def sweep(self, known: set[str]) -> None:
        """Remove the folders that were marked, but for those of runs that are known all the same."""
        for mark in self._runs.glob(f"*/{_PRUNED}"):
            if mark.parent.name not in known:
                shutil.rmtree(mark.parent)

    def _path(self, run: str, sha: str) -> Path:
        return self.folder(run) / "kernels" / f"{sha}.cu"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:8]}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp's 0600 would hide the kernel from a group that shares the home.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
