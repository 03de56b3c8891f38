"""One folder of compiled kernels for all processes of a run of tests, and no garbage sought in what lives to its end."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile

import pytest

from sandbox import quiet
from tests.compiling import SHARED

FOLDER = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    if SHARED not in os.environ:  # in pytest's own process; those of xdist inherit it
        config.stash[FOLDER] = os.environ[SHARED] = tempfile.mkdtemp(prefix="warpwright-tests-")
    gc.disable()  # modules and thousands of tests: a quarter of the time of collecting them


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    if folder := config.stash.get(FOLDER, None):
        del os.environ[SHARED]
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def never_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker was lost at is tried again at once: how busy this machine is with other tests is no matter here."""
    monkeypatch.setattr(quiet, "_SOME_S", 0.0)
    monkeypatch.setattr(quiet, "runnable", lambda: 0)
