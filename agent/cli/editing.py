"""A person's own editor."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import typer


def edit(files: Sequence[Path]) -> None:
    """Open files in the editor that VISUAL or EDITOR names, and return when it is closed."""
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    try:
        subprocess.run([*editor, *files], check=False)
    except OSError as error:
        typer.echo(f"no editor could be started: {error}; set EDITOR, or edit {files[0].parent}", err=True)
