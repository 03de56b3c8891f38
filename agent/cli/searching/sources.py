"""What a search may be asked for beside a task: a kernel of a user's own, or a function or module of PyTorch."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.home import Home
    from agent.results import SearchRequest
    from tools.tasks.task import Task


@dataclass(frozen=True)
class SearchSource:
    """What to search for, and the kernels to begin with; `drafted` where the task was made of a file just now."""

    task: str
    start: tuple[str, ...]
    drafted: Task | None = None

    def require_writer(self, request: SearchRequest) -> None:
        """Raise UsageError where nobody can write kernels for a drafted task, before a run of it begins."""
        if self.drafted is None or request.asks_models:
            return
        from agent.composer import Composer

        try:
            Composer().space(self.drafted)
        except UsageError as error:
            raise UsageError(f"{error} ({self.drafted.folder / 'reference.py'})") from None


_MODULE = re.compile(r"(?P<file>.+\.py):(?P<target>[A-Za-z_]\w*)")


@dataclass(frozen=True)
class SearchInput:
    """What a user asks a search for (a task, a kernel file, `FILE.py:NAME`), kernels to begin with, examples."""

    named: str
    start: tuple[Path, ...] = ()
    examples: str | None = None
    device: str = "auto"


async def search_source(asked: SearchInput, home: Home, say: Callable[[str], None]) -> SearchSource:
    """Return the task that a name, a folder, a kernel file, or a function or module of PyTorch means.

    Args:
        asked: As the user wrote it.
        home: Where a drafted task is kept.
        say: Hears what was guessed, a line each.

    Raises:
        UsageError: A file cannot be read, or no task can be made of it.
        MissingDependencyError: PyTorch is needed and absent.
        WorkerError: The environment failed.
    """
    from agent.cli.judging.kernels import read_kernel

    start = tuple(read_kernel(str(path)) for path in asked.start)
    module = _MODULE.fullmatch(asked.named)
    if asked.examples is not None and module is None:
        raise UsageError("--example-inputs goes with FILE.py:NAME")
    if module is not None:
        return await _of_module(module["file"], module["target"], asked, home, say, start)
    if asked.named.endswith(".py"):
        raise UsageError(f"{asked.named}: say which function or module of it is meant: {asked.named}:NAME")
    if not asked.named.endswith((".cu", ".cuh")):
        return SearchSource(asked.named, start)
    from agent.importing.kernel_files import task_of_kernel

    drafted = task_of_kernel(asked.named, Path(asked.named).stem, read_kernel(asked.named), home)
    _tell(asked.named, drafted.task, drafted.notes, say)
    return SearchSource(str(drafted.task.folder), (drafted.start, *start), drafted.task)


async def _of_module(
    file: str, target: str, asked: SearchInput, home: Home, say: Callable[[str], None], start: tuple[str, ...]
) -> SearchSource:
    from agent.importing.graphs.importer import Importer
    from agent.importing.modules.captured_inputs import names_a_file, read_inputs
    from agent.importing.modules.tasks import module_call, task_of_module
    from sandbox.isolation.choose import choose_isolation
    from sandbox.reference.service import References
    from sandbox.torch_graphs.service import TorchGraphs

    from_file = names_a_file(asked.examples)
    call = module_call(Path(file), target, None if from_file else asked.examples)
    TorchGraphs.check()
    say(f"exporting {target} of {file} ...")
    isolation = choose_isolation()
    async with TorchGraphs(isolation) as graphs, References(isolation) as references:
        captured = await read_inputs(Path(asked.examples or ""), graphs) if from_file else None
        if captured is not None:
            call = module_call(Path(file), target, captured)
        importer = Importer(graphs, references)
        made = await task_of_module(call, graphs, importer, home, asked.device, captured)
    _tell(f"{file}:{target}", made.task, made.notes, say)
    return SearchSource(str(made.task.folder), start, made.task)


def _tell(named: str, task: Task, notes: Sequence[str], say: Callable[[str], None]) -> None:
    for note in notes:
        say(f"- {note}")
    say(
        f"the task drafted from {named}: {task.folder}; it stays there, and"
        f" `warpwright init NAME --like {task.folder}` makes one of your own"
    )
