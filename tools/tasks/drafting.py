"""New tasks: from a draft to a folder, kept only once its baseline passes."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import tomli_w

from sandbox.errors import UsageError
from sandbox.verdict import Verdict
from tools.reports import ProfileReport
from tools.tasks import folder as task_folder
from tools.tasks.catalogue import TaskCatalogue
from tools.tasks.table import to_table
from tools.tasks.task import Task, TaskSpec, WholeTask
from tools.toolbox import ProfileOrder, TestOrder, Toolbox

NAME = r"[a-z][a-z0-9_]{0,47}"
"""What a new task may be called; it becomes the name of a folder."""


@dataclass(frozen=True)
class Kept:
    """A task that is in its owner's folder; `profile` is None where it had been there before."""

    task: Task
    profile: ProfileReport | None


async def preview(draft: WholeTask, catalogue: TaskCatalogue) -> Task | None:
    """Check what can be checked of a draft without running it; return the same task where it is kept already.

    Raises:
        UsageError: A field cannot be used, or the name is taken.
    """
    with tempfile.TemporaryDirectory(prefix="warpwright-draft-") as temporary:
        task = await asyncio.to_thread(_load, draft, Path(temporary) / _named(draft.name))
    return await asyncio.to_thread(_same_or_none, task, catalogue)


async def keep(draft: WholeTask, catalogue: TaskCatalogue, toolbox: Toolbox) -> Kept:
    """Check a draft, judge its baseline, and only then put it where its owner's tasks are.

    Nothing is overwritten: the same task again is returned as it is, another one of that name is refused.

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
        return await _judged(task, folder, catalogue, own, toolbox)


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
        return await _judged(await asyncio.to_thread(task_folder.load, copy), copy, catalogue, own, toolbox)


async def _judged(task: Task, folder: Path, catalogue: TaskCatalogue, own: Path, toolbox: Toolbox) -> Kept:
    there = _same_or_none(task, catalogue)
    if there is not None:
        return Kept(there, None)
    tested = await toolbox.do(TestOrder(task, task.baseline))
    if tested.verdict is not Verdict.PASS:
        raise UsageError(f"its baseline is not correct ({tested.verdict}): {tested.message}")
    profile = await toolbox.do(ProfileOrder(task, task.baseline))
    if profile.verdict is not Verdict.PASS:
        raise UsageError(f"its baseline fails at the bench sizes ({profile.verdict}): {profile.message}")
    return Kept(await asyncio.to_thread(_move, folder, own / task.name), profile)


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


def _same_or_none(task: Task, catalogue: TaskCatalogue) -> Task | None:
    if task.name not in catalogue.names():
        return None
    there = catalogue.find(task.name)
    if replace(there, folder=task.folder, sha=task.sha) == task:
        return there
    raise UsageError(
        f"there is another task called {task.name}, and tasks are never overwritten: name it anew"
    )


def _move(folder: Path, target: Path) -> Task:
    folder.chmod(0o755)
    try:
        folder.rename(target)  # refuses a folder that is not empty: of two at a time, one wins
    except OSError as error:
        raise UsageError(
            f"the task cannot be kept: {error.strerror}; another of its name may exist"
        ) from error
    return task_folder.load(target)


def write_folder(draft: WholeTask, folder: Path) -> None:
    """Write a draft's files into a folder, which is made where it is not there.

    Raises:
        UsageError: A text cannot be written as UTF-8, or what is no dim is limited.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name, text in files_of(draft).items():
            (folder / name).write_bytes(text.encode())
    except UnicodeEncodeError as error:
        raise UsageError(f"expected text that UTF-8 can hold: {error.reason}") from None


def files_of(draft: WholeTask) -> dict[str, str]:
    """Return the texts of a draft's files by their names.

    Raises:
        UsageError: It limits what is no dim of it.
    """
    if unknown := [name for name in draft.limits if name not in draft.dims]:
        raise UsageError(f"limits: expected only dims ({', '.join(draft.dims)}), found {unknown[0]}")
    table = tomli_w.dumps(to_table(TaskSpec, draft))
    return {"task.toml": table, "reference.py": draft.reference, "baseline.cu": draft.baseline}
