"""Which isolation is used: the strongest that starts here, or the one that the user named."""

from __future__ import annotations

import os

from sandbox.errors import MissingDependencyError, UsageError
from sandbox.isolation import bubblewrap, docker
from sandbox.isolation.base import Isolation
from sandbox.isolation.process import ProcessIsolation

VARIABLE = "WARPWRIGHT_ISOLATION"
"""The environment variable that names the isolation: auto, bubblewrap, docker or process."""

NAMES = ("auto", "bubblewrap", "docker", "process")


def choose_isolation(requested: str | None = None) -> Isolation:
    """Return the isolation to use; `requested` wins over the environment variable, and both over `auto`.

    `auto` is bubblewrap where it starts, else process; docker is used only where it is asked for. The first call
    tries bubblewrap once (about 30 ms).

    Raises:
        UsageError: The name is not one of `NAMES`.
        MissingDependencyError: Bubblewrap or Docker was asked for by name and cannot start.
    """
    name = requested or os.environ.get(VARIABLE) or "auto"
    if name not in NAMES:
        raise UsageError(f"unknown isolation {name!r} ({VARIABLE}): expected one of {', '.join(NAMES)}")
    if name == "process":
        return ProcessIsolation()
    if name == "docker":
        return docker.find()
    try:
        return bubblewrap.find()
    except MissingDependencyError:
        if name == "bubblewrap":
            raise
        return ProcessIsolation()


def why_not_stronger(isolation: Isolation) -> str:
    """Return one sentence that says why no stronger isolation is in use, empty where there is none."""
    if isolation.name != "process":
        return ""
    try:
        bubblewrap.find()
    except MissingDependencyError as error:
        return str(error)
    return f"bubblewrap starts here, but {VARIABLE} asks for process"
