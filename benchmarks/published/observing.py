"""What the simulator counts of the kernels whose times were published; each is run once, and priced often."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.published.dataset import Family, Point
from sandbox.device import Array
from sandbox.dtypes import numpy_dtype
from sandbox.errors import UsageError
from sandbox.plan import Plan, Role
from sandbox.program import CompileRequest, Program
from sandbox.simulator.cost.constants import CostConstants
from sandbox.simulator.cost.demand import Demand, demand
from sandbox.simulator.cost.estimate import Estimate, timed
from sandbox.simulator.cost.traffic import LaunchShape
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.profiling import count
from tools.stages.compiling import Compiles

_COMPILE_S = 300.0
_SAMPLES = 1 << 16
_SEED = 1


@dataclass(frozen=True)
class Published:
    """A published time, and what such a kernel asks of a GPU by what the simulator counted.

    The counts themselves are not kept: of all kernels together they would be some gigabytes.
    """

    family: Family
    point: Point
    demand: Demand
    shape: LaunchShape

    @property
    def group(self) -> str:
        """What stands in competition: one family at one shape."""
        return f"{self.family.name} {self.point.shape}".strip()

    @property
    def variant(self) -> str:
        """The kernel's name within it."""
        return self.point.variant

    @property
    def held_with(self) -> str:
        """What is held out together."""
        return self.family.name

    @property
    def measured_us(self) -> float:
        """As published."""
        return self.point.measured_us

    def estimate(self, constants: CostConstants) -> Estimate:
        """Price the launch alone."""
        return timed(self.demand, self.family.gpu, constants)

    def estimated_us(self, constants: CostConstants, launch_us: float) -> float:
        """What the model expects to be published."""
        gpu = replace(self.family.gpu, launch_us=launch_us)
        return self.family.timing.of(timed(self.demand, gpu, constants).latency_us)


async def observe(families: Sequence[Family], compiler: Compiles) -> tuple[list[Published], list[str]]:
    """Count every kernel of these families; also say which were left out, and why."""
    found: list[Published] = []
    left: list[str] = []
    for family in families:
        names = tuple(dict.fromkeys(point.kernel for point in family.points))
        request = CompileRequest(family.text, family.gpu.compute, (), names)
        compiled = await compiler.compile(request, cpu_s=_COMPILE_S)
        if compiled.program is None:
            raise UsageError(f"{family.name}: {compiled.log}")
        # Which blocks stand for all is drawn by the key: by this one, each run draws the same. (NVRTC may give the
        # same kernels in another order.)
        key = hashlib.sha256(repr(request).encode()).hexdigest()
        found += _counted(family, replace(compiled.program, key=key), left)
        sys.stderr.write(f"{family.name}: {len(family.points)} counted\n")
    return found, left


def _counted(family: Family, program: Program, left: list[str]) -> Iterator[Published]:
    for point in family.points:
        try:
            [one] = count(program, point.plan, _samples(point.plan), family.gpu)
        except FaultError as error:
            left.append(f"{family.name} {point.variant}: {error.fault.message}")
            continue
        asked = demand(one.counter, one.shape, family.gpu)
        yield Published(family, point, asked.again or asked if family.timing.warm else asked, one.shape)


def _samples(plan: Plan) -> Mapping[str, Array]:
    """Normal numbers, repeated to fill the buffers."""
    draw = np.random.default_rng(_SEED)
    read = (one for one in plan.buffers if one.role in {Role.IN, Role.INOUT})
    return {
        one.name: draw.standard_normal(min(one.size, _SAMPLES)).astype(numpy_dtype(one.dtype)) for one in read
    }
