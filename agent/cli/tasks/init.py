"""`init`: a task's folder to begin with, from a task that is like it or from a kernel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.outcome import ExitStatus, conclude
from sandbox.errors import UsageError


def init(
    folder: Annotated[Path, typer.Argument(help="To be made; its name is the task's.", show_default=False)],
    like: Annotated[
        str | None, typer.Option("--like", metavar="TASK", help="Begin with a copy of this task.")
    ] = None,
    kernel: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE.cu", help="Propose a task for the kernel of this file."),
    ] = None,
) -> None:
    """Make a task's folder: what kernels must compute, at which sizes, and a plain kernel."""

    async def work() -> ExitStatus:
        from tools.tasks.drafting import name_like

        if like is not None and kernel is not None:
            raise UsageError("give --like TASK or --from FILE.cu, not both")
        target = folder.absolute()
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise UsageError(f"{folder} is there and not empty; nothing in it was changed")
        name = name_like(target.name)
        notes = (
            _copy(like or "vector_add", target, name) if kernel is None else _propose(kernel, target, name)
        )
        for note in [*notes, *_needs(target)]:
            typer.echo(f"- {note}")
        typer.echo(f"{folder} is a task; edit its files, then: warpwright check {folder}")
        return ExitStatus.DONE

    conclude(work, as_json=False)


def _copy(like: str, target: Path, name: str) -> list[str]:
    from agent.home import home
    from tools.tasks.folder import FILES, captured_bytes, find

    known = find(like, home().tasks)
    texts = {file: (known.folder / file).read_text(encoding="utf-8") for file in FILES}
    texts["task.toml"] = re.sub(r'(?m)^name = ".*"$', f'name = "{name}"', texts["task.toml"], count=1)
    target.mkdir(parents=True, exist_ok=True)
    for file, data in captured_bytes(known).items():
        (target / file).write_bytes(data)
    _write(target, texts)
    return [f"a copy of {known.name}: {known.summary}"]


def _propose(kernel: Path, target: Path, name: str) -> list[str]:
    from agent.cli.judging.kernels import read_kernel
    from tools.tasks.drafting import files_of
    from tools.tasks.proposing import propose

    proposal = propose(read_kernel(str(kernel)), name)
    _write(target, files_of(proposal.task))
    return list(proposal.notes)


def _needs(target: Path) -> list[str]:
    """Return why a search for the task needs a chat model; nothing where it needs none."""
    from agent.composer import Composer
    from tools.tasks.folder import load

    try:
        Composer().space(load(target))
    except UsageError as error:
        return [f"a search needs a model as it is: {error}"]
    return []


def _write(target: Path, texts: dict[str, str]) -> None:
    from tools.tasks.folder import load

    target.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (target / file).write_text(text, encoding="utf-8")
    load(target)
