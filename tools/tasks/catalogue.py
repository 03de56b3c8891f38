"""The tasks that one caller may name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tools.tasks import folder as task_folder
from tools.tasks.task import Task, TaskError


@dataclass(frozen=True)
class TaskCatalogue:
    """The bundled tasks, the caller's own, and any folder where that is allowed.

    Attributes:
        own: Folder of the caller's own tasks; None where none can be kept.
        paths: Whether a task may also be named by the path of its folder, anywhere on this machine.
    """

    own: Path | None = None
    paths: bool = True

    def find(self, name: str) -> Task:
        """Read a task; raise TaskError where there is none of that name or it cannot be used."""
        return task_folder.find(name, self.own, paths=self.paths)

    def names(self) -> list[str]:
        """List the names, sorted."""
        return sorted(task_folder.folders(self.own))

    def tasks(self) -> list[Task]:
        """Read all that can be read, sorted by name; one that its owner broke does not hide the others."""
        found: list[Task] = []
        for name, folder in sorted(task_folder.folders(self.own).items()):
            try:
                found.append(task_folder.load(folder))
            except TaskError:
                if name in task_folder.names():
                    raise
        return found
