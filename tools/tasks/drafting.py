"""New tasks: from a draft to a folder, kept only once its baseline passes."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from sandbox.errors import UsageError
from sandbox.verdict import Verdict
from tools.reports import CheckReport
from tools.tasks import folder as task_folder
from tools.tasks.captured import file_problem
from tools.tasks.catalogue import TaskCatalogue
from tools.tasks.table import to_table
from tools.tasks.task import Task, TaskSpec, WholeTask
from tools.toolbox import CheckOrder, Toolbox

NAME = r"[a-z][a-z0-9_]{0,47}"
"""What a new task may be called; it becomes the name of a folder."""


@dataclass(frozen=True)
class Kept:
    """A task that is in its owner's folder; `report` is its baseline's, None where it had been there before."""

    task: Task
    report: CheckReport | None


def name_like(text: str) -> str:
    """Return a name for a task that is like a text, as that of a file.

    Raises:
        UsageError: It holds no letter that a name may begin with.
    """
    name = re.sub(r"[^a-z0-9_]", "_", text.lower()).lstrip("_0123456789")[:48]
    if not name:
        raise UsageError(f"{text!r} gives a task no name: lower-case letters, digits and `_`, a letter first")
    return name


async def preview(draft: WholeTask, catalogue: TaskCatalogue, *, replace: bool = False) -> Task | None:
    """Check what can be checked of a draft without running it; return the same task where it is kept already.

    Raises:
        UsageError: A field cannot be used, or the name is taken (see `keep`).
    """
    with tempfile.TemporaryDirectory(prefix="warpwright-draft-") as temporary:
        task = await asyncio.to_thread(_load, draft, Path(temporary) / _named(draft.name))
    return await asyncio.to_thread(_same_or_none, task, catalogue, replace=replace)


async def judge_draft(draft: WholeTask, toolbox: Toolbox) -> CheckReport:
    """Judge the baseline of a draft, its results at the benchmark sizes too, and keep nothing.

    Raises:
        UsageError: A field cannot be used, or the baseline is not correct.
        WorkerError: The environment failed twice.
    """
    with tempfile.TemporaryDirectory(prefix="warpwright-draft-") as temporary:
        task = await asyncio.to_thread(_load, draft, Path(temporary) / _named(draft.name))
        return await _baseline(task, toolbox)


async def keep(
    draft: WholeTask,
    catalogue: TaskCatalogue,
    toolbox: Toolbox,
    *,
    replace: bool = False,
    judged: CheckReport | None = None,
) -> Kept:
    """Check a draft, judge its baseline, and only then put it where its owner's tasks are.

    The same task again is returned as it is. Another one of that name is refused, unless nothing has used that.

    Args:
        draft: The task.
        catalogue: Whose it becomes.
        toolbox: What judges its baseline.
        replace: Whether another task of that name may go, since nothing has used it.
        judged: What `judge_draft` found of this very draft just now.

    Raises:
        UsageError: A field cannot be used, the name is taken, or the baseline is not correct; nothing is kept.
        WorkerError: The environment failed twice.
    """
    own = catalogue.own
    if own is None:
        raise UsageError("this server keeps no tasks")
    name = _named(draft.name)
    await asyncio.to_thread(own.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=own, ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary) / name
        task = await asyncio.to_thread(_load, draft, folder)
        there = await asyncio.to_thread(_same_or_none, task, catalogue, replace=replace)
        if there is not None:
            return Kept(there, None)
        report = judged or await _baseline(task, toolbox)
        return Kept(await asyncio.to_thread(_move, folder, own / name), report)


async def keep_folder(folder: Path, catalogue: TaskCatalogue, toolbox: Toolbox) -> Kept:
    """Do the same with a task folder that lies elsewhere, which stays where it is.

    Raises:
        UsageError: It cannot be used, the name is taken, or the baseline is not correct; nothing is kept.
        WorkerError: The environment failed twice.
    """
    own = catalogue.own
    if own is None:
        raise UsageError("no tasks are kept here")
    task = await asyncio.to_thread(task_folder.load, folder)
    name = _named(task.name)
    await asyncio.to_thread(own.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=own, ignore_cleanup_errors=True) as temporary:
        copy = Path(temporary) / name
        await asyncio.to_thread(shutil.copytree, folder, copy)
        task = await asyncio.to_thread(task_folder.load, copy)
        there = await asyncio.to_thread(_same_or_none, task, catalogue)
        if there is not None:
            return Kept(there, None)
        report = await _baseline(task, toolbox)
        return Kept(await asyncio.to_thread(_move, copy, own / name), report)


async def _baseline(task: Task, toolbox: Toolbox) -> CheckReport:
    report = await toolbox.do(CheckOrder(task, task.baseline))
    if report.verdict is not Verdict.PASS:
        raise UsageError(f"its baseline is not correct ({report.verdict}): {report.message}")
    if report.profile is None or report.profile.verdict is not Verdict.PASS:
        said = "nothing was timed" if report.profile is None else report.profile.message
        raise UsageError(f"its baseline fails at the bench sizes: {said}")
    return report


def _named(name: str) -> str:
    if not re.fullmatch(NAME, name):
        raise UsageError("name: expected lower-case letters, digits and `_`, a letter first, at most 48")
    return name


def _load(draft: WholeTask, folder: Path) -> Task:
    write_folder(draft, folder)
    try:
        return task_folder.load(folder)
    except UsageError as error:
        raise UsageError(str(error).replace(f"{folder.resolve()}/", "")) from None


def _same_or_none(task: Task, catalogue: TaskCatalogue, *, replace: bool = False) -> Task | None:
    if task.name not in catalogue.names():
        return None
    there = catalogue.find(task.name)
    if dataclasses.replace(there, folder=task.folder, sha=task.sha) == task:
        return there
    if replace and task.name not in task_folder.names():
        return None
    raise UsageError(
        f"there is another task called {task.name}, and tasks that something used are never overwritten: name it"
        " anew"
    )


def _move(folder: Path, target: Path) -> Task:
    folder.chmod(0o755)
    try:
        if target.is_dir():
            target.rename(folder.with_name(".replaced"))  # goes with the draft's temporary folder
        folder.rename(target)  # refuses a folder that is not empty: of two at a time, one wins
    except OSError as error:
        raise UsageError(
            f"the task cannot be kept: {error.strerror}; another of its name may exist"
        ) from error
    return task_folder.load(target)


def read_draft(texts: Mapping[str, str]) -> Task:
    """Return the task that files say, given by their names; it lies nowhere.

    Raises:
        UsageError: A file is missing, or a field of it cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="warpwright-draft-") as temporary:
        folder = Path(temporary)
        try:
            for name in task_folder.FILES:
                (folder / name).write_text(texts[name], encoding="utf-8")
            return task_folder.load(folder)
        except KeyError as missing:
            raise UsageError(f"{missing.args[0]} is missing") from None
        except UnicodeEncodeError as error:
            raise UsageError(f"expected text that UTF-8 can hold: {error.reason}") from None
        except UsageError as error:
            raise UsageError(str(error).replace(f"{folder.resolve()}/", "")) from None


def write_folder(draft: WholeTask, folder: Path) -> None:
    """Write a draft's files into a folder, which is made where it is not there.

    Raises:
        UsageError: A text cannot be written as UTF-8, or what is no dim is limited.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name, text in files_of(draft).items():
            (folder / name).write_bytes(text.encode())
        for name, data in task_folder.captured_bytes(draft).items():
            if problem := file_problem(name):
                raise UsageError(problem)
            (folder / name).write_bytes(data)
    except UnicodeEncodeError as error:
        raise UsageError(f"expected text that UTF-8 can hold: {error.reason}") from None


def files_of(draft: WholeTask) -> dict[str, str]:
    """Return the texts of a draft's files by their names; captured ones are not among them.

    Raises:
        UsageError: It limits what is no dim of it.
    """
    if unknown := [name for name in draft.limits if name not in draft.dims]:
        raise UsageError(f"limits: expected only dims ({', '.join(draft.dims)}), found {unknown[0]}")
    table = tomli_w.dumps(to_table(TaskSpec, draft))
    return {"task.toml": table, "reference.py": draft.reference, "baseline.cu": draft.baseline}
