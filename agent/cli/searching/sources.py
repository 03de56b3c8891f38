"""What a search may be asked for beside a task: a kernel of a user's own."""

from __future__ import annotations

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


def search_source(named: str, start: Sequence[Path], home: Home, say: Callable[[str], None]) -> SearchSource:
    """Return the task that a name, a folder or a kernel file means.

    Args:
        named: As the user wrote it.
        start: Kernel files to begin with.
        home: Where a drafted task is kept.
        say: Hears what was guessed, a line each.

    Raises:
        UsageError: A file cannot be read, or no task can be drafted from it.
    """
    from agent.cli.judging.kernels import read_kernel

    given = tuple(read_kernel(str(path)) for path in start)
    if not named.endswith((".cu", ".cuh")):
        return SearchSource(named, given)
    from agent.importing.kernel_files import task_of_kernel

    drafted = task_of_kernel(named, Path(named).stem, read_kernel(named), home)
    for note in drafted.notes:
        say(f"- {note}")
    say(
        f"the task drafted from {named}: {drafted.task.folder}; it stays there, and"
        f" `warpwright init NAME --like {drafted.task.folder}` makes one of your own"
    )
    return SearchSource(str(drafted.task.folder), (drafted.start, *given), drafted.task)
