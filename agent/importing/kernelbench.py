"""Problems in KernelBench's format: a file with a class `Model`, `get_inputs` and `get_init_inputs`."""

from __future__ import annotations

import re
from pathlib import Path

from sandbox.errors import UsageError
from sandbox.torch_graphs.graph import ExportCall

_MOST_BYTES = 1 << 20
_NAME = 48


def problems(path: Path) -> list[Path]:
    """Return the problem file that is meant, or those of a folder and the folders below it, in order of their names.

    Raises:
        UsageError: There is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UsageError(f"{path}: expected a file FILE.py, or a folder of them")
    found = sorted((one for one in path.rglob("*.py") if not one.name.startswith("_")), key=_order)
    if not found:
        raise UsageError(f"{path}: expected files FILE.py in KernelBench's format, found none")
    return found


def _order(path: Path) -> tuple[str, int, str]:
    number = re.match(r"\d+", path.name)
    return str(path.parent), int(number[0]) if number else 0, path.name


def read_problem(path: Path) -> ExportCall:
    """Return what is exported of a problem's file.

    Raises:
        UsageError: The file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{path}: expected at most {_MOST_BYTES >> 20} MiB, found {len(data) >> 20}")
    try:
        return ExportCall(data.decode(), path.name)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{path}:{line}: expected UTF-8 text, found byte 0x{data[error.start]:02x}"
        ) from None


def task_name(path: Path) -> str:
    """Return what the task of a problem is called: its file's name, as tasks and folders are named."""
    name = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_")
    name = re.sub(r"^(\d+)_(.*)$", r"\2_\1", name) if re.match(r"\d+_\D", name) else name
    number = re.search(r"_\d+$", name)
    ending = number[0] if number else ""
    name = name.removesuffix(ending)[: _NAME - len(ending)].strip("_") + ending
    return name if name[:1].isalpha() else f"problem_{name}".strip("_")
