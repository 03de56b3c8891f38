"""Finds task folders and reads them. Reading never runs reference.py: that is untrusted code."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from tools.kernel import file as kernel_file
from tools.kernel import planning
from tools.kernel.inclusion import with_included
from tools.tasks.captured import MAX_BYTES, as_bytes, as_text
from tools.tasks.checking import check_captured, check_spec
from tools.tasks.errors import TaskError, TaskNotFoundError
from tools.tasks.table import KeyLines, Place, read_table
from tools.tasks.task import Task, TaskSpec, WholeTask

_PACKAGE = Path(__file__).resolve().parents[1]
FILES = ("task.toml", "reference.py", "baseline.cu")
"""What every task's folder holds; captured files beside them are named in task.toml."""
_MAX_BYTES = 256 * 1024


def _roots() -> Iterator[Path]:
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file():
        yield checkout / "examples" / "tasks"
    yield _PACKAGE / "bundled_tasks"


def folders(own: Path | None = None) -> dict[str, Path]:
    """Map the name of every task to its folder: those that come with warpwright, then those below `own`."""
    found: dict[str, Path] = {}
    for root in (*_roots(), *(() if own is None else (own,))):
        if root.is_dir():
            for folder in sorted(root.iterdir()):
                # A task that is being drafted lies in a folder with a dot until it is known to be one.
                if not folder.name.startswith(".") and (folder / "task.toml").is_file():
                    found.setdefault(folder.name, folder)
    return found


def names() -> list[str]:
    """List the tasks that come with warpwright, sorted."""
    return sorted(folders())


def all_tasks() -> list[Task]:
    """Read every task that comes with warpwright, sorted by name.

    Raises:
        TaskError: One of them cannot be used.
    """
    return [load(folder) for _, folder in sorted(folders().items())]


def find(name_or_path: str | Path, own: Path | None = None, *, paths: bool = True) -> Task:
    """Read a task by its name, or by the path of its folder.

    Args:
        name_or_path: Which one.
        own: Folder of tasks that do not come with warpwright.
        paths: Whether any folder of this machine may be named.

    Raises:
        TaskError: There is no such task, or it cannot be used.
    """
    known = folders(own)
    name = str(name_or_path)
    if name in known:
        return load(known[name])
    if paths and is_folder(name_or_path):
        return load(Path(name_or_path).expanduser())
    close = difflib.get_close_matches(name[:200], known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    listed = ", ".join(sorted(known)) or "none"
    what = "task or folder" if paths else "task"
    said = f"no {what} is called `{name[:200]}`.{hint} Known tasks: {listed}"
    raise TaskNotFoundError(said, sorted(known))


def is_folder(path: str | Path) -> bool:
    """Whether a path is that of a folder; a text that can be no path is none."""
    try:
        return str(path) != "" and Path(path).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, or `~` of nobody
        return False


def load(folder: str | Path) -> Task:
    """Read a task from its folder and check all of it, short of running it.

    Raises:
        TaskError: A file is missing or cannot be used; the text names file, line and what was expected.
        KernelFileError: baseline.cu is not a kernel file, or does not suit a case.
    """
    folder = Path(folder).resolve()
    texts = {name: _text(folder / name) for name in FILES}
    texts["baseline.cu"] = with_included(texts["baseline.cu"], [folder], str(folder / "baseline.cu"))
    spec, lines = read_table(texts["task.toml"], str(folder / "task.toml"))
    check_spec(spec, lines)
    captured = _captured_files(spec, folder, lines)
    check_captured(spec, captured, lines)
    task = Task(
        **vars(spec),
        reference=texts["reference.py"],
        baseline=texts["baseline.cu"],
        captured_files=captured,
        folder=folder,
        sha=_sha(texts),
    )
    _check_baseline(task)
    return task


def captured_bytes(task: WholeTask) -> dict[str, bytes]:
    """Return the contents of a task's captured files by name."""
    return {name: as_bytes(text) for name, text in task.captured_files.items()}


def _captured_files(spec: TaskSpec, folder: Path, lines: KeyLines) -> dict[str, str]:
    found: dict[str, str] = {}
    for index, case in enumerate(spec.captured):
        path, place = folder / case.file, Place("captured", index)
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            raise lines.error(
                f"expected a file {case.file} beside task.toml, found none", place, "file"
            ) from None
        except OSError as error:
            raise TaskError(f"{path}: cannot be read: {error.strerror}") from None
        found[case.file] = as_text(data)
    return found


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        expected = "a task folder holds task.toml, reference.py and baseline.cu"
        raise TaskError(f"{path.parent}: expected a file {path.name}: {expected}") from None
    except OSError as error:
        raise TaskError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise TaskError(f"{path}: expected at most {_MAX_BYTES // 1024} KiB, found {len(data) // 1024}")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TaskError(f"{path}:{line}: expected UTF-8 text, found byte 0x{data[error.start]:02x}") from None


def _sha(texts: dict[str, str]) -> str:
    digest = hashlib.sha256()
    for name, text in sorted(texts.items()):
        data = text.encode()
        digest.update(f"{name} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


def _check_baseline(task: Task) -> None:
    file = str(task.folder / "baseline.cu")
    baseline = kernel_file.parse(task.baseline, file)
    scalars = {argument.name: 0 for argument in task.arguments if argument.is_scalar}
    for case in (*task.judged_cases, *task.benches, *task.finals):
        planning.plan(baseline, task, case.dims, scalars=scalars)
