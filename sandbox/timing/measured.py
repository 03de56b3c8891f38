"""What is timed, and what comes back: raw samples, and outputs of the timed runs themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeGuard

from sandbox.device import Array, Device, Fault, LaunchProfile
from sandbox.plan import Plan
from sandbox.program import Program
from sandbox.timing.plausibility import Ceilings
from sandbox.timing.schedule import TimingRules


@dataclass(frozen=True)
class TimedPlan:
    """A compiled plan."""

    program: Program
    plan: Plan


@dataclass(frozen=True)
class TimedOutput:
    """Outputs that timed runs of the candidate left.

    Attributes:
        inputs: Which set of inputs it ran on.
        runs: How many runs on that set left exactly these bits.
        values: Out and inout buffers by name, flat, in their dtype.
    """

    inputs: int
    runs: int
    values: Mapping[str, Array]


@dataclass(frozen=True)
class PairedTimes:
    """Samples of a timing, microseconds each; the candidate's and the baseline's at one position are a pair.

    Attributes:
        fault: Why there are none, or too few; None where all went well.
        of_baseline: The fault is the baseline's.
        candidate: Cold: the L2 held nothing of the kernel's when it began.
        baseline: The same; empty without a baseline.
        empty: An empty kernel of the same shape, timed in the same way: what a launch costs.
        parts: Medians of the candidate's launches one by one, in the plan's order, cold before the first; from
            samples of their own, with an event after every launch.
        warm: One run among many back to back, replayed as a graph; None where a run changes its own inputs.
        warm_baseline: The baseline's.
        gap: What a launch from the host costs beside one from a graph; None where `warm` is.
        clocks: MHz of a multiprocessor before each pair.
        dropped: Pairs that were left out because the clock changed while they ran.
        outputs: What the candidate's timed runs left, for judging.
        conditions: How the device was before and after: clocks, heat, what holds it back; told by the parent.
        concerns: What of that should give pause.
        unkept: Timed runs whose outputs were different from those kept, and are lost.
    """

    fault: Fault | None
    of_baseline: bool = False
    candidate: tuple[float, ...] = ()
    baseline: tuple[float, ...] = ()
    empty: tuple[float, ...] = ()
    parts: tuple[float, ...] = ()
    warm: float | None = None
    warm_baseline: float | None = None
    gap: float | None = None
    clocks: tuple[float, ...] = ()
    dropped: int = 0
    outputs: tuple[TimedOutput, ...] = field(default=())
    unkept: int = 0
    conditions: tuple[str, ...] = ()
    concerns: tuple[str, ...] = ()


class PairTimer(Protocol):
    """A device that times, and does so pair by pair; the others estimate, through `Device.profile`."""

    async def time_pairs(
        self,
        candidate: TimedPlan,
        baseline: TimedPlan | None,
        inputs: Sequence[Mapping[str, Array]],
        *,
        rules: TimingRules,
        deadline_s: float,
    ) -> PairedTimes:
        """Time a candidate and a baseline in turn.

        Args:
            candidate: Compiled for this device.
            baseline: What to compare with; None to time the candidate alone.
            inputs: Sets of flat arrays for every in and inout buffer, of different values.
            rules: How carefully.
            deadline_s: Seconds of wall time for all of it.
        """
        ...

    async def explain(
        self,
        timed: TimedPlan,
        inputs: Mapping[str, Array],
        parts: Sequence[float],
        *,
        deadline_s: float,
        full: bool = False,
    ) -> tuple[LaunchProfile, ...]:
        """Say what bounds each launch, by counters where they can be had.

        Args:
            timed: What was timed.
            inputs: One set of inputs, or samples of them, which are repeated to fill.
            parts: What its launches took, as in `PairedTimes`.
            deadline_s: Seconds of wall time.
            full: Read every counter that there is, not only the usual ones.
        """
        ...

    async def ceilings(self) -> Ceilings | None:
        """Return what the device cannot exceed, from measured rates; None where they could not be measured."""
        ...


class MeasuringDevice(Device, PairTimer, Protocol):
    """A device that times its plans."""


def times_pairs(device: Device) -> TypeGuard[MeasuringDevice]:
    """Say, to the type checker too, whether a device is a `PairTimer` as well: it says so itself."""
    return device.measures
