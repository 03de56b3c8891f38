"""Judging again whenever files change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

import typer

from agent.cli.judging.kernel_paths import NamedKernel
from agent.cli.outcome import ExitStatus
from sandbox.errors import UsageError

_LOOK_S = 0.3


async def again_and_again(
    once: Callable[[], Awaitable[ExitStatus]], kernels: Sequence[NamedKernel]
) -> ExitStatus:
    """Judge, and once more whenever a file beside a kernel, or of its task, changes; until Ctrl-C."""
    folders = {one.path.parent for one in kernels}
    folders |= {Path(one.task) for one in kernels if Path(one.task).is_dir()}
    while True:
        seen = _stamps(folders)
        try:
            await once()
        except UsageError as error:  # half-written files are no reason to end
            typer.echo(f"warpwright: {error}", err=True)
        typer.echo("waiting for a change; Ctrl-C ends", err=True)
        while (now := _stamps(folders)) == seen:
            await asyncio.sleep(_LOOK_S)
        changed = sorted(path.name for path in now.items() ^ seen.items() for path in [path[0]])
        typer.echo(f"changed: {', '.join(dict.fromkeys(changed))}", err=True)


def _stamps(folders: Iterable[Path]) -> dict[Path, int]:
    """When each file of the folders was written."""
    stamps: dict[Path, int] = {}
    for folder in folders:
        for path in folder.iterdir():
            try:
                if path.suffix in {".cu", ".cuh", ".toml", ".py"}:
                    stamps[path] = path.stat().st_mtime_ns
            except OSError:  # it went while we looked
                continue
    return stamps
