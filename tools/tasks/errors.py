"""What is raised of tasks that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.errors import UsageError


class TaskError(UsageError):
    """A task cannot be found or used; the text names file, line and what was expected."""


class GeneratorError(TaskError):
    """A generator call cannot be read, or does not suit the dtype."""


class TaskNotFoundError(TaskError):
    """No task has such a name.

    Attributes:
        known: The names that there are, sorted.
    """

    def __init__(self, message: str, known: Sequence[str]) -> None:
        super().__init__(message)
        self.known = tuple(known)
