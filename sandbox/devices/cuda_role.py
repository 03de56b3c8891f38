"""The worker's side of a real GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.cuda import running
from sandbox.cuda.buffers import GUARD_BYTES
from sandbox.cuda.driver import Driver
from sandbox.cuda.harness import Harness
from sandbox.worker.messages import CudaAnswer, CudaHealth, CudaProbeCall, CudaRunCall

PROBE_WORDS = 1 << 16


@dataclass(frozen=True)
class CudaRole:
    """Role `cuda`: runs plans on one GPU. What the candidate prints goes to the worker's own output, bounded."""

    driver: Driver
    harness: Harness
    guard: int = GUARD_BYTES
    accepts: tuple[type[Any], ...] = (CudaRunCall, CudaProbeCall)

    def answer(self, call: CudaRunCall | CudaProbeCall) -> CudaAnswer | CudaHealth:
        """Run, or say how the GPU is."""
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


def open_role(index: int) -> CudaRole:
    """Return the role for a GPU by its number.

    Raises:
        ImportError: PyCUDA is not installed, or finds no driver.
        DriverError: The GPU cannot be used.
    """
    from sandbox.cuda.pycuda_driver import open_driver

    driver = open_driver(index)
    return CudaRole(driver, Harness(driver))
