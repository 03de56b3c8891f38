"""Suites: named lists of tasks, and what others have published of them. Any folder of tasks is a suite too."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.tasks.errors import TaskError
from tools.tasks.folder import is_folder

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Elsewhere:
    """A KernelBench problem of the same kind, and what its authors publish of it for an H100.

    Attributes:
        problem: Its number in level 1.
        dims: The task's sizes that make it as large.
        eager_ms: Milliseconds of PyTorch, as it is.
        compile_ms: Milliseconds of torch.compile.
        unlike: What it computes instead, where it is not the same.
    """

    problem: int
    dims: dict[str, int]
    eager_ms: float
    compile_ms: float
    unlike: str = ""


@dataclass(frozen=True)
class SuiteTask:
    """One task of a suite.

    Attributes:
        task: Its name, or its folder.
        published: Speedups that others publish, in the order of the suite's cards; none where they are not known.
    """

    task: str
    published: tuple[float, ...] = ()
    kernelbench: Elsewhere | None = None


@dataclass(frozen=True)
class Suite:
    """A list of tasks.

    Attributes:
        cards: What the published speedups were measured on.
    """

    name: str
    summary: str
    tasks: tuple[SuiteTask, ...]
    cards: tuple[str, ...] = ()


def names() -> list[str]:
    """List the suites that come with warpwright, sorted."""
    return sorted(_files())


def find_suite(name_or_path: str) -> Suite:
    """Read a suite by its name, or make one of the tasks that lie in a folder.

    Raises:
        TaskError: There is no such suite or folder, or no task lies in it.
    """
    files = _files()
    if name_or_path in files:
        return _read(tomllib.loads(files[name_or_path].read_text(encoding="utf-8")))
    if is_folder(name_or_path):
        return _of_folder(Path(name_or_path).expanduser().resolve())
    close = difflib.get_close_matches(name_or_path[:200], files, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise TaskError(
        f"no suite or folder is called `{name_or_path[:200]}`.{hint} Known suites: {', '.join(sorted(files))}"
    )


def _of_folder(folder: Path) -> Suite:
    found = sorted(path.parent for path in folder.glob("*/task.toml") if not path.parent.name.startswith("."))
    if not found:
        raise TaskError(f"{folder}: no task lies in it; each is a folder with task.toml, and so on")
    tasks = tuple(SuiteTask(str(path)) for path in found)
    return Suite(folder.name, f"The tasks in {folder}.", tasks)


def _files() -> dict[str, Path]:
    return {path.stem: path for root in _roots() for path in sorted(root.glob("*.toml"))}


def _roots() -> Iterator[Path]:
    yield _PACKAGE / "bundled_suites"
    if (_PACKAGE.parent / "pyproject.toml").is_file():
        yield _PACKAGE.parent / "examples" / "suites"


def _read(table: dict[str, Any]) -> Suite:
    tasks = tuple(
        SuiteTask(
            row["name"],
            tuple(row.get("published", ())),
            Elsewhere(**row["kernelbench"]) if "kernelbench" in row else None,
        )
        for row in table["task"]
    )
    return Suite(table["name"], table["summary"], tasks, tuple(table.get("cards", ())))
