"""Which kernels a command line means, and for which tasks: files, and folders with tasks somewhere in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import UsageError

_TASK = "task.toml"


@dataclass(frozen=True)
class NamedKernel:
    """A kernel file, and the name or the folder of its task."""

    path: Path
    task: str


def named_kernels(paths: Sequence[str], task: str | None) -> list[NamedKernel]:
    """Return the kernels that are meant, each once, in the order of the paths.

    A folder means every `.cu` file beside a task.toml in it, however deep, or where a task is given every one in the
    folder itself; a file is for the given task, else for the task whose folder it lies in.

    Raises:
        UsageError: A file's task is not known, or a folder holds no task.
    """
    found: dict[Path, NamedKernel] = {}
    for text in paths:
        path = Path(text)
        for one in _in_folder(path, task) if path.is_dir() else [_file(path, task)]:
            found.setdefault(one.path.absolute(), one)
    return list(found.values())


def _in_folder(folder: Path, task: str | None) -> Iterator[NamedKernel]:
    if task is not None:
        kernels = sorted(folder.glob("*.cu"))
        if not kernels:
            raise UsageError(f"{folder} is a folder without kernel files; a kernel file (.cu) is expected")
        yield from (NamedKernel(kernel, task) for kernel in kernels)
        return
    tasks = sorted(path.parent for path in folder.rglob(_TASK) if not _hidden(path.relative_to(folder)))
    if not tasks:
        raise UsageError(
            f"{folder} holds no {_TASK}: a folder with tasks is expected, or kernels with --task"
        )
    for where in tasks:
        yield from (NamedKernel(kernel, str(where)) for kernel in sorted(where.glob("*.cu")))


def _file(path: Path, task: str | None) -> NamedKernel:
    if task is not None:
        return NamedKernel(path, task)
    for folder in path.absolute().parents:
        if (folder / _TASK).is_file():
            return NamedKernel(path, str(folder))
    raise UsageError(f"{path} lies in no task's folder: say with --task what it must compute")


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
