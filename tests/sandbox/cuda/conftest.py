"""The harness's own kernels, a GPU whose driver records what is asked of it, and one whose driver is a library."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.isolation import gpu
from sandbox.nsight import profiler
from sandbox.program import Program
from tests.compiling import program
from tests.sandbox.cuda import standing_in
from tests.sandbox.cuda.harness_compiling import HARNESS, KERNELS


@pytest.fixture(scope="session")
def harness_program() -> Program:
    return program((HARNESS / "harness.cu").read_text(), KERNELS, "sm_75")


@pytest.fixture(scope="session")
def driver_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a driver's library that needs no GPU; PyCUDA works with it."""
    if (reason := standing_in.missing()) is not None:
        pytest.skip(reason)
    folder = standing_in.built(tmp_path_factory.mktemp("driver"))
    if (reason := standing_in.unusable(folder)) is not None:
        pytest.skip(reason)
    return folder


@pytest.fixture
def stand_in(driver_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """This machine has one GPU with that driver, and none of NVIDIA's tools; the folder for locks and rates."""
    monkeypatch.setattr(gpu, "gpus", lambda: [standing_in.GPU])
    monkeypatch.setattr(gpu, "device_nodes", lambda index: [Path(node) for node in standing_in.NODES])
    monkeypatch.setattr(gpu, "library_folder", lambda: driver_folder)
    monkeypatch.setattr(profiler, "find_program", lambda name: None)
    runtime = tmp_path / "runtime"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    return runtime
