"""The worker's side of a real GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.cuda import running
from sandbox.cuda.buffers import GUARD_BYTES
from sandbox.cuda.driver import Driver
from sandbox.cuda.harness import Harness
from sandbox.cuda.plain_run import run_plainly
from sandbox.cuda.timing import PairTiming
from sandbox.device import RunResult
from sandbox.worker.messages import (
    CudaAnswer,
    CudaHealth,
    CudaProbeCall,
    CudaRunCall,
    CudaTimeCall,
    CudaTimes,
    RunCall,
)

PROBE_WORDS = 1 << 16


@dataclass(frozen=True)
class CudaRole:
    """Role `cuda:N`: runs plans on one GPU. What the candidate prints goes to the worker's own output, bounded.

    A `RunCall` is for NVIDIA's tools, which look at the process from outside: it is run plainly, and its result
    is not judged.
    """

    driver: Driver
    harness: Harness
    guard: int = GUARD_BYTES
    buffers_file: Path | None = None
    accepts: tuple[type[Any], ...] = (CudaRunCall, CudaTimeCall, CudaProbeCall, RunCall)

    def answer(
        self, call: CudaRunCall | CudaTimeCall | CudaProbeCall | RunCall
    ) -> CudaAnswer | CudaTimes | CudaHealth | RunResult:
        """Run, time, or say how the GPU is."""
        if isinstance(call, CudaTimeCall):
            timing = PairTiming(self.driver, self.harness, call.rules, guard=self.guard)
            return timing.times(call.candidate, call.baseline, call.inputs)
        if isinstance(call, RunCall):
            return run_plainly(
                self.driver, call.program, call.plan, call.inputs, buffers_file=self.buffers_file
            )
        if isinstance(call, CudaProbeCall):
            return self._health(call.seed)
        return running.run(
            self.driver, self.harness, call.program, call.plan, call.inputs, call.poison, guard=self.guard
        )

    def _health(self, seed: int) -> CudaHealth:
        address = self.driver.allocate(4 * PROBE_WORDS)
        self.harness.fill(address, 4 * PROBE_WORDS, seed)
        digest = self.harness.digest(address, 4 * PROBE_WORDS, seed)
        self.driver.free(address)
        return CudaHealth(self.driver.facts, digest)


def open_role(index: int, resources: Mapping[str, list[str]]) -> CudaRole:
    """Return the role for a GPU by its number; `buffers` among the resources is for `run_plainly`.

    Raises:
        ImportError: PyCUDA is not installed, or finds no driver.
        DriverError: The GPU cannot be used.
    """
    from sandbox.cuda.pycuda_driver import open_driver

    driver = open_driver(index)
    file = next(iter(resources.get("buffers", [])), None)
    return CudaRole(driver, Harness(driver), buffers_file=Path(file) if file else None)
