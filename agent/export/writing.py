"""Writes a package: into a folder that was empty, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sandbox.errors import UsageError


def require_empty(folder: Path) -> None:
    """Raise UsageError, before long work, where a folder could not be written after it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already and not empty; name a new folder with --output")


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by their paths; where that fails, no folder is left behind.

    Raises:
        UsageError: The folder is not empty, or cannot be written.
    """
    require_empty(folder)
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.absolute().parent, prefix=f".{folder.name[:40]}-"))
        try:
            _write(made, files)
            made.chmod(0o755)
            if folder.exists():
                folder.rmdir()
            made.rename(folder.absolute())
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror or error}") from None


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
