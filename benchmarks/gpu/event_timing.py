"""A GPU without Nsight Compute: timings of many kernels come first, and counters where time is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbox.budget import Budget
from sandbox.device import Array, Device, Inspection, LaunchProfile, ProfileResult, RunResult
from sandbox.devices.one_by_one import OneByOne
from sandbox.nsight.ceilings import MeasuredRates
from sandbox.nsight.launch_profiles import launch_profiles
from sandbox.plan import Plan
from sandbox.program import Program
from sandbox.timing.measured import PairedTimes, PairTimer, TimedPlan
from sandbox.timing.plausibility import Ceilings
from sandbox.timing.schedule import TimingRules
from sandbox.verdict import Provenance


class EventTimer(OneByOne):
    """Another device, but launches are explained by their times alone; implements `Device` and `PairTimer`.

    It is the owner's to close, and closing this does nothing.
    """

    def __init__(self, device: Device, timer: PairTimer, rates: MeasuredRates | None) -> None:
        """Use this device.

        Args:
            device: A GPU.
            timer: The same.
            rates: What it was found to reach, for roofline fractions.
        """
        self._device = device
        self._timer = timer
        self._rates = rates

    @property
    def name(self) -> str:
        """See `Device`."""
        return self._device.name

    @property
    def architecture(self) -> str:
        """See `Device`."""
        return self._device.architecture

    @property
    def provenance(self) -> Provenance:
        """See `Device`."""
        return Provenance.MEASURED

    @property
    def measures(self) -> bool:
        """See `Device`."""
        return True

    async def run(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, poison: int, budget: Budget
    ) -> RunResult:
        """See `Device`."""
        return await self._device.run(program, plan, inputs, poison=poison, budget=budget)

    async def profile(
        self, program: Program, plan: Plan, samples: Mapping[str, Array], *, budget: Budget
    ) -> ProfileResult:
        """See `Device`."""
        return await self._device.profile(program, plan, samples, budget=budget)

    async def inspect(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, deadline_s: float
    ) -> Inspection:
        """See `Device`."""
        return await self._device.inspect(program, plan, inputs, deadline_s=deadline_s)

    async def time_pairs(
        self,
        candidate: TimedPlan,
        baseline: TimedPlan | None,
        inputs: Sequence[Mapping[str, Array]],
        *,
        rules: TimingRules,
        deadline_s: float,
    ) -> PairedTimes:
        """See `PairTimer`."""
        return await self._timer.time_pairs(candidate, baseline, inputs, rules=rules, deadline_s=deadline_s)

    async def ceilings(self) -> Ceilings | None:
        """See `PairTimer`."""
        return await self._timer.ceilings()

    async def explain(
        self,
        timed: TimedPlan,
        inputs: Mapping[str, Array],
        parts: Sequence[float],
        *,
        deadline_s: float,
        full: bool = False,
    ) -> tuple[LaunchProfile, ...]:
        """Return what the events and the compiler's report say."""
        return launch_profiles(timed.program, timed.plan, parts, ceilings=self._rates)

    async def aclose(self) -> None:
        """Leave the device to its owner."""
