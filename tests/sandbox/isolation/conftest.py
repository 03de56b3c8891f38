from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from sandbox.isolation.base import Command, Isolation, WorkerSpec


class Unfiltered(Isolation):
    """Another isolation, whose workers put no filter on system calls."""

    def __init__(self, inner: Isolation) -> None:
        self.inner = inner
        self.name = inner.name
        self.warning = inner.warning

    name = ""
    warning = None

    def command(self, spec: WorkerSpec, fd: int) -> Command:
        command = self.inner.command(spec, fd)
        *words, last = command.argv
        settings = json.loads(last)
        if "config" in settings:  # a container's client: the worker's own command is in there
            settings["config"]["Cmd"][-1] = _bare(settings["config"]["Cmd"][-1])
            last = json.dumps(settings)
        else:
            last = _bare(last)
        return Command((*words, last), command.environment)


def _bare(settings: str) -> str:
    return json.dumps(json.loads(settings) | {"filter_calls": None})


@pytest.fixture
def unfiltered() -> Callable[[Isolation], Isolation]:
    return Unfiltered
