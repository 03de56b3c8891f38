"""New tasks: from fields to a folder, kept only once its baseline passes."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.errors import UsageError
from sandbox.verdict import Verdict
from tools.reports import ProfileReport
from tools.tasks import folder as task_folder
from tools.tasks.catalogue import TaskCatalogue
from tools.tasks.task import Case, Target, Task
from tools.toolbox import ProfileOrder, TestOrder, Toolbox

NAME = r"[a-z][a-z0-9_]{0,47}"
"""What a new task may be called; it becomes the name of a folder."""


@dataclass(frozen=True)
class DraftArgument:
    """One argument as `task.toml` writes it; `shape` holds one expression a dimension."""

    name: str
    role: str
    dtype: str
    shape: tuple[str, ...] = ()
    data: str | None = None


@dataclass(frozen=True)
class Draft:
    """Everything that a task folder says; the meanings are those of `tools.tasks.task.Task`."""

    name: str
    summary: str
    dims: tuple[str, ...]
    arguments: tuple[DraftArgument, ...]
    tests: tuple[Case, ...]
    benches: tuple[Case, ...]
    flops: str
    bytes: str
    reference: str
    baseline: str
    deterministic: bool = True
    target: Target = field(default_factory=Target)


@dataclass(frozen=True)
class Kept:
    """A task that is in its owner's folder; `profile` is None where it had been there before."""

    task: Task
    profile: ProfileReport | None


async def preview(draft: Draft, catalogue: TaskCatalogue) -> Task | None:
    """Check what can be checked of a draft without running it; return the same task where it is kept already.

    Raises:
        UsageError: A field cannot be used, or the name is taken.
    """
    with tempfile.TemporaryDirectory(prefix="warpwright-draft-") as temporary:
        task = await asyncio.to_thread(_load, draft, Path(temporary) / _named(draft.name))
    return await asyncio.to_thread(_same_or_none, task, catalogue)


async def keep(draft: Draft, catalogue: TaskCatalogue, toolbox: Toolbox) -> Kept:
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


def _load(draft: Draft, folder: Path) -> Task:
    folder.mkdir()
    texts = {"task.toml": render(draft), "reference.py": draft.reference, "baseline.cu": draft.baseline}
    try:
        for name, text in texts.items():
            (folder / name).write_bytes(text.encode())
        return task_folder.load(folder)
    except UnicodeEncodeError as error:
        raise UsageError(f"expected text that UTF-8 can hold: {error.reason}") from None
    except UsageError as error:
        raise UsageError(str(error).replace(f"{folder.resolve()}/", "")) from None


def _same_or_none(task: Task, catalogue: TaskCatalogue) -> Task | None:
    if task.name not in catalogue.names():
        return None
    there = catalogue.find(task.name)
    if there.sha == task.sha:
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


def render(draft: Draft) -> str:
    """Return the text of a draft's task.toml."""
    lines = [
        f"name = {_text(draft.name)}",
        f"summary = {_text(draft.summary)}",
        f"dims = [{', '.join(map(_text, draft.dims))}]",
    ]
    if not draft.deterministic:
        lines.append("deterministic = false")
    for argument in draft.arguments:
        lines += ["", "[[args]]", *_argument(argument)]
    lines += ["", "[cost]", f"flops = {_text(draft.flops)}", f"bytes = {_text(draft.bytes)}"]
    for header, cases in (("[[test]]", draft.tests), ("[[bench]]", draft.benches)):
        for case in cases:
            lines += ["", header, *_case(case)]
    target = {"latency_us": draft.target.latency_us, "speedup": draft.target.speedup}
    target["roofline"] = draft.target.roofline
    wanted = [f"{key} = {value!r}" for key, value in target.items() if value is not None]
    return "\n".join([*lines, *(["", "[target]", *wanted] if wanted else [])]) + "\n"


def _argument(argument: DraftArgument) -> list[str]:
    lines = [f"{key} = {_text(getattr(argument, key))}" for key in ("name", "role", "dtype")]
    if argument.shape:
        lines.append(f"shape = {_text(', '.join(argument.shape))}")
    return lines if argument.data is None else [*lines, f"data = {_text(argument.data)}"]


def _case(case: Case) -> list[str]:
    lines = [f"dims = {_table({name: str(size) for name, size in case.dims.items()})}"]
    if case.data:
        lines.append(f"data = {_table({name: _text(call) for name, call in case.data.items()})}")
    return lines


def _table(items: Mapping[str, str]) -> str:
    pairs = ", ".join(f"{_text(key)} = {value}" for key, value in items.items())
    return f"{{ {pairs} }}"


def _text(value: str) -> str:
    # A JSON string is a TOML basic string, but for DEL; characters stay as they are, so that no pair of
    # surrogates is written.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
