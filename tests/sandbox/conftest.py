from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.errors import MissingDependencyError
from sandbox.isolation import bubblewrap, docker
from sandbox.isolation.base import Isolation
from sandbox.isolation.process import ProcessIsolation


def _bubblewrap() -> Isolation:
    try:
        return bubblewrap.find()
    except MissingDependencyError as error:
        pytest.skip(str(error))


def _docker() -> Isolation:
    try:
        return docker.find()
    except MissingDependencyError as error:
        pytest.skip(str(error))


MAKERS: dict[str, Callable[[], Isolation]] = {
    "bubblewrap": _bubblewrap,
    "docker": _docker,
    "process": ProcessIsolation,
}


@pytest.fixture(scope="session")
def bubblewrapped() -> Isolation:
    return _bubblewrap()


@pytest.fixture
def docked() -> Isolation:
    return _docker()


@pytest.fixture(params=["bubblewrap", pytest.param("docker", marks=pytest.mark.docker), "process"])
def isolation(request: pytest.FixtureRequest) -> Isolation:
    return MAKERS[request.param]()


def _worker_pids() -> list[int]:
    """Pids, as the host sees them, of the workers that this process started."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(word.endswith("sandbox/worker/__main__.py") for word in words):
            settings = json.loads(next(word for word in words if word.startswith('{"role"')))
            if settings["parent"] == os.getpid():
                found.append(int(folder.name))
    return found


@pytest.fixture
def worker_pids() -> Callable[[], list[int]]:
    return _worker_pids


@pytest.fixture
async def nothing_left():
    """Check that a test leaves no worker process and no descriptor behind, but for those of its module."""
    await asyncio.sleep(0)
    before, shared = len(os.listdir("/proc/self/fd")), set(_worker_pids())
    yield
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and (
        not shared.issuperset(_worker_pids()) or len(os.listdir("/proc/self/fd")) > before
    ):
        await asyncio.sleep(0.02)
    assert shared.issuperset(_worker_pids())
    assert len(os.listdir("/proc/self/fd")) <= before
