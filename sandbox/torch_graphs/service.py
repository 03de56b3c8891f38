"""The parent's side of exports: PyTorch runs in a confined worker, and graphs come back."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from sandbox.asking import LimitReached, ask_within
from sandbox.closing import AsyncClosing
from sandbox.device import Array
from sandbox.errors import MissingDependencyError, WorkerDiedError
from sandbox.isolation.base import Isolation, WorkerSpec
from sandbox.pool import WorkerPool
from sandbox.torch_graphs.confined import PACKAGES
from sandbox.torch_graphs.graph import (
    CapturedCall,
    CapturedTensors,
    EvaluateCall,
    Evaluated,
    ExportCall,
    ExportFault,
    FittingSizes,
    SizesCall,
    TorchGraph,
)
from sandbox.worker_process import WorkerFailedError

T = TypeVar("T", TorchGraph, Evaluated, FittingSizes, CapturedTensors)

MEMORY_BYTES = 12 << 30
CPU_S = 40.0
"""Seconds of processor time that one answer may take."""
SYSTEM = ("/dev/urandom", "/proc/cpuinfo", "/sys/devices/system/cpu")
"""What PyTorch reads as it starts, and before it computes in half precision."""


class TorchGraphs(AsyncClosing):
    """Exports PyTorch functions and modules. Use as an async context manager, or call `aclose`."""

    def __init__(self, isolation: Isolation, *, cpu_s: float = CPU_S) -> None:
        """Start nothing yet; `cpu_s` is processor time in seconds."""
        self._cpu_s = cpu_s
        self._spec = WorkerSpec("torch", MEMORY_BYTES, packages=PACKAGES, threads=True, system=SYSTEM)
        self._isolation = isolation
        self._pool = WorkerPool(self._spec, isolation)
        self._exported = 0

    @staticmethod
    def check() -> None:
        """Say how to install PyTorch where it is absent.

        Raises:
            MissingDependencyError: It is.
        """
        if importlib.util.find_spec("torch") is None:
            raise MissingDependencyError(
                "importing from PyTorch needs the package torch, which is not installed: "
                "pip install 'warpwright[torch]' (its build for processors is enough)"
            )

    async def export(self, call: ExportCall) -> TorchGraph | ExportFault:
        """Export a function or a module.

        Files share a worker, and with it PyTorch as the files before left it: what cannot be exported there is tried
        in a new one.

        Raises:
            WorkerError: The environment failed.
        """
        self._exported += 1
        found = await self._ask(call, TorchGraph, call.file)
        if self._exported > 1 and isinstance(found, ExportFault) and found.message.startswith("exporting"):
            await self._pool.aclose()
            self._pool, self._exported = WorkerPool(self._spec, self._isolation), 1
            found = await self._ask(call, TorchGraph, call.file)
        return found

    async def evaluate(self, call: EvaluateCall) -> Evaluated | ExportFault:
        """Compute an exported graph in float64.

        Raises:
            WorkerError: The environment failed.
        """
        inputs = {name: _wide(array) for name, array in call.inputs.items()}
        return await self._ask(replace(call, inputs=inputs), Evaluated, call.exported.file)

    async def fitting(self, call: SizesCall) -> FittingSizes | ExportFault:
        """Say which sizes an exported graph takes.

        Raises:
            WorkerError: The environment failed.
        """
        return await self._ask(call, FittingSizes, call.exported.file)

    async def captured(self, call: CapturedCall) -> CapturedTensors | ExportFault:
        """Read a file of tensors.

        Raises:
            WorkerError: The environment failed.
        """
        return await self._ask(call, CapturedTensors, call.file)

    async def aclose(self) -> None:
        """Stop the worker; safe to call twice."""
        await self._pool.aclose()

    async def _ask(self, call: Any, kind: type[T], file: str) -> T | ExportFault:
        try:
            found = await ask_within(self._cpu_s, self._pool, call, kind, ExportFault, about=file)
        except WorkerFailedError as error:
            return ExportFault(f"the export itself failed: {str(error).strip().splitlines()[-1]}", None)
        except WorkerDiedError as error:
            return ExportFault(f"its code ended the worker: {error}", None)
        if not isinstance(found, LimitReached):
            return found
        what = {
            "processor time": f"it did not finish within {self._cpu_s:g} s of processor time",
            "memory": f"it needs more than {MEMORY_BYTES >> 30} GiB of memory",
        }.get(found.limit, f"its worker was lost: {found.said}")
        return ExportFault(what, None)


def _wide(array: Array) -> Array:
    return array if array.dtype.kind in "iub" else array.astype(np.float64)
