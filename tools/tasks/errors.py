"""What is raised of tasks that cannot be used."""

from __future__ import annotations

from sandbox.errors import UsageError


class TaskError(UsageError):
    """A task cannot be found or used; the text names file, line and what was expected."""


class GeneratorError(TaskError):
    """A generator call cannot be read, or does not suit the dtype."""
