"""A device whose kernel is a Python function: for tests of everything above devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sandbox.budget import Budget
from sandbox.device import Array, Bottleneck, Fault, Inspection, LaunchProfile, ProfileResult, RunResult
from sandbox.devices.one_by_one import OneByOne
from sandbox.dtypes import numpy_dtype
from sandbox.plan import BufferSpec, Plan, Role
from sandbox.poison import poison_bytes
from sandbox.program import Program
from sandbox.verdict import Provenance

Kernel = Callable[[Program, Plan, dict[str, Array]], Fault | None]
"""Writes to the buffers, which it gets by name; what it returns is the run's fault."""

Clock = Callable[[Program, Plan], float]
"""Returns the latency of a plan, microseconds."""


def _one_microsecond(program: Program, plan: Plan) -> float:
    return 1.0


class FunctionDevice(OneByOne):
    """Runs plans as the real devices do (poison, copied inputs), with a function as the kernel.

    Attributes:
        poisons: The poison seeds of the runs so far.
        profiled: The plans profiled so far.
    """

    def __init__(self, kernel: Kernel, clock: Clock = _one_microsecond, architecture: str = "sm_90") -> None:
        self._kernel = kernel
        self._clock = clock
        self._architecture = architecture
        self.poisons: list[int] = []
        self.profiled: list[Plan] = []
        self.closed = False

    @property
    def name(self) -> str:
        """The device's name."""
        return "function"

    @property
    def architecture(self) -> str:
        """What to compile for."""
        return self._architecture

    @property
    def provenance(self) -> Provenance:
        """A clock's times are given, not estimated."""
        return Provenance.MEASURED

    @property
    def measures(self) -> bool:
        """Whether it times pair by pair."""
        return False

    async def run(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, poison: int, budget: Budget
    ) -> RunResult:
        """Call the function once; see `sandbox.device.Device.run`."""
        self.poisons.append(poison)
        buffers = {buffer.name: _filled(buffer, inputs, poison) for buffer in plan.buffers}
        fault = self._kernel(program, plan, buffers)
        if fault is not None:
            return RunResult(fault)
        return RunResult(
            None,
            outputs={
                spec.name: buffers[spec.name] for spec in plan.buffers if spec.role in (Role.OUT, Role.INOUT)
            },
            inputs={spec.name: buffers[spec.name] for spec in plan.buffers if spec.role is Role.IN},
        )

    async def profile(
        self, program: Program, plan: Plan, samples: Mapping[str, Array], *, budget: Budget
    ) -> ProfileResult:
        """Ask the clock; the plan's latency is spread evenly over its launches."""
        self.profiled.append(plan)
        latency = self._clock(program, plan)
        launches = tuple(
            LaunchProfile(
                launch.kernel,
                launch.line,
                latency / len(plan.launches),
                Provenance.ESTIMATED,
                Bottleneck.DRAM,
                0.5,
                1,
                1,
            )
            for launch in plan.launches
        )
        return ProfileResult(None, latency, Provenance.ESTIMATED, launches)

    async def inspect(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, deadline_s: float
    ) -> Inspection:
        """Find nothing."""
        return Inspection(None, "a function has no hazards")

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.closed = True


def _filled(buffer: BufferSpec, inputs: Mapping[str, Array], poison: int) -> Array:
    if buffer.name in inputs:
        return inputs[buffer.name].copy()
    dtype = numpy_dtype(buffer.dtype)
    return poison_bytes(poison, buffer.name, buffer.size * dtype.itemsize).view(dtype)
