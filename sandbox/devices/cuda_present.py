"""Which real GPUs can be used here, and what they are."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sandbox
from sandbox.errors import MissingDependencyError
from sandbox.isolation import gpu
from sandbox.isolation.base import interpreter

_PACKAGE = "pycuda"
_ASK_SECONDS = 30
_PROGRAM = "cuda/ask.py"

Ask = Callable[[str], str]
"""From a GPU's bus id to what `sandbox/cuda/ask.py` prints.

Raises:
    MissingDependencyError: The driver does not answer.
"""


@dataclass(frozen=True)
class PresentGpu:
    """A GPU by its number in nvidia-smi's order, and what to compile for it (`sm_90`)."""

    index: int
    bus_id: str
    name: str
    architecture: str


def usable() -> bool:
    """Say whether there is a GPU with its driver's library, and PyCUDA; nothing is asked of the driver."""
    return bool(gpu.gpus()) and gpu.library_folder() is not None and _installed()


def find_gpu(index: int, *, nodes: list[gpu.GpuNode] | None = None, ask: Ask | None = None) -> PresentGpu:
    """Return the GPU of that number.

    Args:
        index: Its place among those of this machine, in the order of bus ids.
        nodes: Instead of this machine's.
        ask: Instead of the driver.

    Raises:
        MissingDependencyError: There is no such GPU, or no driver or PyCUDA for it.
    """
    present = gpu.gpus() if nodes is None else nodes
    if index >= len(present):
        count = f"this machine has {len(present)}" if present else "this machine has no NVIDIA GPU"
        raise MissingDependencyError(
            f"there is no device cuda:{index}: {count}; --device sim:h200 simulates one"
        )
    if ask is None and gpu.library_folder() is None:
        raise MissingDependencyError(f"device cuda:{index} needs the NVIDIA driver: no {gpu.LIBRARY} found")
    if ask is None and not _installed():
        raise MissingDependencyError(
            f"device cuda:{index} needs PyCUDA: pip install pycuda (the extra 'gpu')"
        )
    bus_id = present[index].bus_id
    said = json.loads((ask or _ask)(bus_id))
    return PresentGpu(index, bus_id, str(said["name"]), str(said["architecture"]))


def _installed() -> bool:
    return importlib.util.find_spec(_PACKAGE) is not None


def _ask(bus_id: str) -> str:
    program = Path(next(iter(sandbox.__path__))).resolve() / _PROGRAM
    try:
        asked = subprocess.run(
            [str(interpreter()), "-I", "-S", "-B", str(program), bus_id],
            env=gpu.environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASK_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise MissingDependencyError(f"the NVIDIA driver did not answer within {_ASK_SECONDS} s") from error
    if asked.returncode:
        said = asked.stderr.decode(errors="replace").strip().splitlines()
        raise MissingDependencyError(
            f"the NVIDIA driver does not work: {said[-1] if said else asked.returncode}"
        )
    return asked.stdout.decode()
