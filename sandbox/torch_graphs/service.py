"""The parent's side of exports: PyTorch runs in a confined worker, and graphs come back."""

from __future__ import annotations

import importlib.util
from typing import Any, TypeVar

from sandbox.asking import LimitReached, ask_within
from sandbox.closing import AsyncClosing
from sandbox.errors import MissingDependencyError, WorkerDiedError
from sandbox.isolation.base import Isolation, WorkerSpec
from sandbox.pool import WorkerPool
from sandbox.torch_graphs.graph import (
    EvaluateCall,
    Evaluated,
    ExportCall,
    ExportFault,
    FittingSizes,
    SizesCall,
    TorchGraph,
)
from sandbox.worker_process import WorkerFailedError

T = TypeVar("T", TorchGraph, Evaluated, FittingSizes)

MEMORY_BYTES = 12 << 30
CPU_S = 120.0
"""Seconds of processor time that one answer may take."""
PACKAGES = (
    "numpy", "ml_dtypes", "torch", "torchgen", "functorch", "sympy", "mpmath", "networkx", "filelock", "fsspec",
    "jinja2", "markupsafe", "typing_extensions",
)  # fmt: skip
"""What PyTorch imports, besides itself."""


class TorchGraphs(AsyncClosing):
    """Exports PyTorch functions and modules. Use as an async context manager, or call `aclose`."""

    def __init__(self, isolation: Isolation) -> None:
        """Start nothing yet."""
        spec = WorkerSpec("torch", MEMORY_BYTES, packages=PACKAGES, threads=True, entropy=True)
        self._pool = WorkerPool(spec, isolation)

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

        Raises:
            WorkerError: The environment failed.
        """
        return await self._ask(call, TorchGraph, call)

    async def evaluate(self, call: EvaluateCall) -> Evaluated | ExportFault:
        """Compute an exported graph in float64.

        Raises:
            WorkerError: The environment failed.
        """
        return await self._ask(call, Evaluated, call.exported)

    async def fitting(self, call: SizesCall) -> FittingSizes | ExportFault:
        """Say which sizes an exported graph takes.

        Raises:
            WorkerError: The environment failed.
        """
        return await self._ask(call, FittingSizes, call.exported)

    async def aclose(self) -> None:
        """Stop the worker; safe to call twice."""
        await self._pool.aclose()

    async def _ask(self, call: Any, kind: type[T], exported: ExportCall) -> T | ExportFault:
        try:
            found = await ask_within(CPU_S, self._pool, call, kind, ExportFault, about=exported.file)
        except WorkerFailedError as error:
            return ExportFault(f"the export itself failed: {str(error).strip().splitlines()[-1]}", None)
        except WorkerDiedError as error:
            return ExportFault(f"its code ended the worker: {error}", None)
        if not isinstance(found, LimitReached):
            return found
        what = {
            "processor time": f"it did not finish within {CPU_S:g} s of processor time",
            "memory": f"it needs more than {MEMORY_BYTES >> 30} GiB of memory",
        }.get(found.limit, f"its worker was lost: {found.said}")
        return ExportFault(what, None)
