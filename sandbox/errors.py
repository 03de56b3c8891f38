"""The exceptions of warpwright: bugs and the environment. Failures of a candidate are data, see `Verdict`."""

from __future__ import annotations


class WarpwrightError(Exception):
    """Base of every exception that warpwright raises on purpose; its text is one clear message."""


class UsageError(WarpwrightError):
    """What the user gave cannot be used; the text names file, line and what was expected."""


class MissingDependencyError(WarpwrightError):
    """This machine lacks something; the text says what, and how to get it."""


class WorkerError(WarpwrightError):
    """A worker process could not do its work; base of the two that follow."""


class WorkerDiedError(WorkerError):
    """The worker process ended before it answered (crash, memory limit, killed from outside)."""


class WorkerDeadlineError(WorkerError):
    """The worker did not answer before its deadline and was killed."""


class WorkerProtocolError(WorkerError):
    """The worker sent something that is not a message, or one over the length limit; it was killed."""
