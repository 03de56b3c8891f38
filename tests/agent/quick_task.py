"""A bundled task at a size that a simulator runs in no time: everything about it is real but the size."""

from __future__ import annotations

import shutil
from pathlib import Path

from tools.tasks import folder as task_folder


def quick_task(folder: Path) -> Path:
    """Copy `vector_add` below a folder, with a small benchmark shape and no large test."""
    bundled = task_folder.find("vector_add").folder
    copied = folder / "vector_add"
    shutil.copytree(bundled, copied)
    toml = copied / "task.toml"
    toml.write_text(toml.read_text().replace("16777216", "65536").replace("65537", "1025"))
    return copied
