"""Whose fault it is that there is no report, as it travels and is stored: an exception's kind in a word."""

from __future__ import annotations

from enum import StrEnum

from sandbox.errors import MissingDependencyError, UsageError, WarpwrightError, WorkerDiedError


class OrderProblem(StrEnum):
    """Whose fault a failure is."""

    USAGE = "usage"
    """Of what was given."""
    MISSING = "missing"
    """Of a machine that lacks something."""
    WORKER = "worker"
    """Of the environment."""

    @classmethod
    def of(cls, error: WarpwrightError) -> OrderProblem:
        """Return whose fault an exception says that it is."""
        match error:
            case UsageError():
                return cls.USAGE
            case MissingDependencyError():
                return cls.MISSING
            case _:
                return cls.WORKER

    def error(self, message: str) -> WarpwrightError:
        """The exception again, with this text."""
        match self:
            case OrderProblem.USAGE:
                return UsageError(message)
            case OrderProblem.MISSING:
                return MissingDependencyError(message)
            case OrderProblem.WORKER:
                return WorkerDiedError(message)
