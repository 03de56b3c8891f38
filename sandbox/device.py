"""The device protocol: one interface for the simulator and for GPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np

from sandbox.budget import Budget, Work
from sandbox.plan import Plan
from sandbox.program import Program
from sandbox.verdict import Provenance, Verdict

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Fault:
    """Why a run did not finish. Absent facts are None.

    Attributes:
        verdict: Which failure it is.
        message: One sentence that says what happened, where, and what was touched.
        kernel: Launched name.
        line: Source line in the kernel file.
        other_line: Of the other access of a race.
        instruction: The PTX instruction.
        block: Block index x, y, z.
        thread: Thread index x, y, z.
        buffer: The buffer nearest to the address.
        offset: Byte offset of the access from that buffer's start; may be negative or past the end.
        threads: How many threads did the same in that instruction, where known.
    """

    verdict: Verdict
    message: str
    kernel: str | None = None
    line: int | None = None
    instruction: str | None = None
    block: tuple[int, int, int] | None = None
    thread: tuple[int, int, int] | None = None
    buffer: str | None = None
    offset: int | None = None
    threads: int | None = None
    other_line: int | None = None

    @property
    def lines(self) -> tuple[int, ...]:
        """The lines that the fault is about, in the order of the file."""
        return tuple(sorted({line for line in (self.line, self.other_line) if line is not None}))


@dataclass(frozen=True)
class RunResult:
    """What one run left behind.

    Attributes:
        fault: None where every launch finished and nothing was found against it.
        further: Other failures that the run showed, the most serious first; none without `fault`.
        outputs: Out and inout buffers by name, flat, in their dtype; empty where a fault ended the run.
        inputs: In buffers by name as they are after the run, for the input-modified check.
        printed: What device printf wrote, bounded.
        notes: Findings that are no failure, for example several threads writing one value.
        undefined: Those of them that say where the run computed with a value that nothing defines: a likely
            cause of a wrong result.
        seconds: Host wall time of the run.
        work: What a simulator executed; None on a GPU, and after a fault.
        told: Of a plan of which a sample of blocks ran: by output, which elements these wrote, flat.
        reach: Of such a plan: by output, how many of its elements all blocks would write if each wrote as many as the
            one of the sample that wrote most.
    """

    fault: Fault | None
    outputs: Mapping[str, Array] = field(default_factory=dict[str, Array])
    inputs: Mapping[str, Array] = field(default_factory=dict[str, Array])
    printed: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    undefined: tuple[str, ...] = ()
    work: Work | None = None
    told: Mapping[str, Array] = field(default_factory=dict[str, Array])
    reach: Mapping[str, int] = field(default_factory=dict[str, int])
    further: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Metric:
    """One number under Nsight Compute's metric name, with its unit and provenance."""

    name: str
    value: float
    unit: str
    provenance: Provenance


@dataclass(frozen=True)
class Hotspot:
    """A source line that costs more than it need.

    Attributes:
        line: In the kernel file; None where the compiler gave none.
        instruction: The PTX instruction.
        what: What was counted there, for example `sectors per request`.
        value: How much of it.
        share: The part of the launch's total of that kind that this line causes, 0 to 1.
        text: Of the line; empty where nobody has looked it up.
    """

    line: int | None
    instruction: str
    what: str
    value: float
    share: float
    text: str = ""


class Bottleneck(StrEnum):
    """What bounds a launch: the resource that it needs longest, by the names that reports have always had."""

    DRAM = "dram"
    L2 = "l2"
    L1 = "l1"
    SHARED_MEMORY = "shared_memory"
    FMA = "fma"
    ALU = "alu"
    FP64 = "fp64"
    FP16 = "fp16"
    XU = "xu"
    TENSOR = "tensor"
    ISSUE = "issue"
    ATOMICS = "atomics"
    LATENCY = "latency"
    """No unit is busy: threads wait."""
    UNKNOWN = ""

    @classmethod
    def _missing_(cls, value: object) -> Bottleneck:
        """Read a stored report of a version that knew other names."""
        return cls.UNKNOWN


@dataclass(frozen=True)
class Part:
    """What one resource needs of a launch, if it were the only one: microseconds."""

    resource: Bottleneck
    us: float


class Cause(StrEnum):
    """What may make a launch slower than it need be, and a model can take away."""

    SCATTERED_LOADS = "scattered_loads"
    SCATTERED_STORES = "scattered_stores"
    BANK_CONFLICTS = "bank_conflicts"
    CONTENTION = "contention"
    BARRIERS = "barriers"
    UNEVEN_BLOCKS = "uneven_blocks"
    LOW_OCCUPANCY = "low_occupancy"
    READ_AGAIN = "read_again"


@dataclass(frozen=True)
class WhatIf:
    """What a launch would take if one cause were gone and all else as it is.

    Attributes:
        latency_us: Of the launch then.
    """

    cause: Cause
    latency_us: float


@dataclass(frozen=True)
class Breakdown:
    """What an estimate is made of. Times in microseconds.

    Attributes:
        parts: What each resource needs, the largest first; together they take less than their sum.
        launch_us: What the launch itself costs.
        least_us: What a perfect machine would take, launch included.
        what_ifs: Causes that matter, the one that matters most first.
        error: The part of itself within which two of three estimates are, as published times of its kind show.
        warm_us: What the launch would take when it comes again at once, finding in L2 what that still holds of its
            data; None where that is nothing.
    """

    parts: tuple[Part, ...]
    launch_us: float
    least_us: float
    what_ifs: tuple[WhatIf, ...]
    error: float
    warm_us: float | None = None


@dataclass(frozen=True)
class LaunchProfile:
    """One launch of the plan, profiled.

    Attributes:
        latency_us: Time of this launch, microseconds, launch cost included.
        roofline_fraction: Least possible time over this time, 0 to 1.
        sampled_blocks: Blocks that were executed; fewer than `total_blocks` means extrapolated.
        hotspots: Lines to look at first, the most costly first; counted on the sampled blocks.
        note: Why counters are missing and how to get them; empty where nothing is.
        executed: Instructions of the PTX that all blocks execute, times their threads; 0 where nobody counted.
        breakdown: Of an estimate; None of what was measured.
    """

    kernel: str
    line: int
    latency_us: float
    provenance: Provenance
    bottleneck: Bottleneck
    roofline_fraction: float
    sampled_blocks: int
    total_blocks: int
    metrics: tuple[Metric, ...] = ()
    hotspots: tuple[Hotspot, ...] = ()
    note: str = ""
    executed: float = 0.0
    breakdown: Breakdown | None = None


@dataclass(frozen=True)
class ProfileResult:
    """A profile of the whole plan; `latency_us` is the sum over its launches, or None after a fault."""

    fault: Fault | None
    latency_us: float | None = None
    provenance: Provenance = Provenance.ESTIMATED
    launches: tuple[LaunchProfile, ...] = ()


@dataclass(frozen=True)
class Inspection:
    """What was found in a run by tools that look for hazards.

    Attributes:
        fault: The first error; None where none was found, or nobody looked.
        message: One sentence that says what was found or why nobody looked.
        tools: The tools that ran to their end.
    """

    fault: Fault | None
    message: str
    tools: tuple[str, ...] = ()


class Device(Protocol):
    """Runs plans within budgets: past its work a run is a TIMEOUT; what could not be judged is UNDECIDED.

    On a simulator only the work, and a livelock that is proved, make a TIMEOUT. A worker that was lost, or did not
    answer, is replaced, and the call made once more when the machine has less to do; after that the fault is
    UNDECIDED, as it is where the processor time was spent. A GPU runs kernels in real time: there `seconds` are
    a deadline. A memory limit is a RESOURCE_LIMIT fault.

    Raises (all methods): WorkerError where no worker can be started, MissingDependencyError where the device is
    absent.
    """

    @property
    def name(self) -> str:
        """As the user writes it: `sim:h200`, `cuda:0`."""
        ...

    @property
    def architecture(self) -> str:
        """What to compile for: `sm_90`."""
        ...

    @property
    def provenance(self) -> Provenance:
        """Of its times: measured or estimated."""
        ...

    @property
    def measures(self) -> bool:
        """Whether it times pair by pair: it is a `sandbox.timing.measured.PairTimer` then."""
        ...

    async def run(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, poison: int, budget: Budget
    ) -> RunResult:
        """Execute the plan once.

        Args:
            program: Compiled for this device's architecture.
            plan: What to launch.
            inputs: Flat arrays for every in and inout buffer, dtype and size as in the plan.
            poison: Seed of the random bytes that fill outputs and scratch beforehand.
            budget: What the run may cost.
        """
        ...

    async def run_all(
        self,
        program: Program,
        plan: Plan,
        inputs: Sequence[Mapping[str, Array]],
        *,
        poison: int,
        budget: Budget,
    ) -> Sequence[RunResult]:
        """Execute the plan once over each of several inputs, at least one.

        Args:
            program: As for `run`.
            plan: As for `run`.
            inputs: For each run what `run` takes.
            poison: Of all of them.
            budget: Of each.

        Returns:
            What became of each, in their order; those after the first that fails are left out.
        """
        ...

    async def profile(
        self, program: Program, plan: Plan, samples: Mapping[str, Array], *, budget: Budget
    ) -> ProfileResult:
        """Time the plan and collect metrics.

        Args:
            program: Compiled for this device's architecture.
            plan: What to launch; buffers may be far larger than the samples.
            samples: For every in and inout buffer a flat array of at most that size; it is repeated to fill.
            budget: What it may cost.
        """
        ...

    async def inspect(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, deadline_s: float
    ) -> Inspection:
        """Look for hazards that an ordinary run on this device does not show.

        Args:
            program: Compiled for this device's architecture.
            plan: What to launch; small, for this may take a hundred times as long.
            inputs: As for `run`.
            deadline_s: Seconds of wall time for each tool.
        """
        ...

    async def aclose(self) -> None:
        """Stop the workers; safe to call twice."""
        ...
