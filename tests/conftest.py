"""One folder of compiled kernels for all processes of a run of tests, and no garbage sought in what lives to its end."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from sandbox import quiet
from tests import postgres
from tests.compiling import SHARED
from tests.exhaustive import EXHAUSTIVE

FOLDER = pytest.StashKey[str]()
GARBAGE = 50_000
"""Objects made between two searches for cycles, as in a worker; the default of 700 costs 6 percent more."""

settings.register_profile("warpwright", max_examples=100 if EXHAUSTIVE else 40, deadline=None)
settings.load_profile("warpwright")


def pytest_configure(config: pytest.Config) -> None:
    if SHARED not in os.environ:  # in pytest's own process; those of xdist inherit it
        config.stash[FOLDER] = os.environ[SHARED] = tempfile.mkdtemp(prefix="warpwright-tests-")
        # As workers have it: more threads wait by spinning.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        # Hundreds of processes read what the first one compiled; without it each takes twice as long to begin.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        sys.dont_write_bytecode = False
    gc.disable()  # modules and thousands of tests: a quarter of the time of collecting them


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    if folder := config.stash.get(FOLDER, None):
        postgres.end(Path(folder))
        del os.environ[SHARED]
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def never_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker was lost at is tried again at once: how busy this machine is with other tests is no matter here."""
    monkeypatch.setattr(quiet, "_SOME_S", 0.0)
    monkeypatch.setattr(quiet, "runnable", lambda: 0)
