"""What kind of kernel a correct one is: the axes along which a search keeps different kernels alive.

All of it is read from reports: what bounds the kernel, how its compiled code uses memory, how the work is cut up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.device import Bottleneck, LaunchProfile
from tools.reports import CheckReport

WIDE, NARROW, SHARED = "wide", "narrow", "+shared"
ONE_LAUNCH, SEVERAL = "one launch", "several"
READ = "l1tex__average_t_sectors_per_request_pipe_lsu_mem_global_op_ld.ratio"
SHARED_READ = "smsp__inst_executed_op_shared_ld.sum"
_SECTORS = (READ, "l1tex__average_t_sectors_per_request_pipe_lsu_mem_global_op_st.ratio")
_WIDE = 6.0
"""Sectors a request from which accesses count as wide: 4 are one coalesced 32-bit word a lane."""
_SHARED = (SHARED_READ, "smsp__inst_executed_op_shared_st.sum")
_GRAINS = ((128.0, "thin"), (2048.0, "medium"), (float("inf"), "thick"))
"""Instructions a thread executes, below the bound."""


@dataclass(frozen=True)
class Niche:
    """Where a kernel stands among all that are right.

    Attributes:
        bottleneck: What bounds its longest launch.
        memory: `narrow` or `wide` global accesses, `+shared` where shared memory is used.
        decomposition: `one launch` or `several`, and how much a thread does: `thin`, `medium`, `thick`.
        roofline: Fraction of the roofline that it reaches, 0 to 1; 0 where nobody knows.
        promise_us: What it would take if the cause that costs most were cured, microseconds; its latency where no
            cause is known.
    """

    bottleneck: Bottleneck
    memory: str
    decomposition: str
    roofline: float
    promise_us: float

    @property
    def cell(self) -> tuple[str, str, str]:
        """Its cell in the archive."""
        return str(self.bottleneck), self.memory, self.decomposition


def niche_of(report: CheckReport) -> Niche | None:
    """Return the niche of a kernel that passed and was timed; None where its report says too little."""
    profile = report.profile
    if profile is None or profile.latency_us is None:
        return None
    launches = profile.shapes[-1].launches if profile.shapes else ()
    longest = max(launches, key=lambda launch: launch.latency_us, default=None)
    metrics = {metric.name: metric.value for metric in longest.metrics} if longest else {}
    resources = () if report.compile is None else report.compile.resources
    shared = any(one.shared_bytes > 0 for one in resources) or any(metrics.get(name) for name in _SHARED)
    wide = any(metrics.get(name, 0.0) >= _WIDE for name in _SECTORS)
    return Niche(
        bottleneck=profile.bottleneck if longest is None else longest.bottleneck,
        memory=(WIDE if wide else NARROW) + (SHARED if shared else ""),
        decomposition=f"{ONE_LAUNCH if len(launches) <= 1 else SEVERAL}, {_grain(longest, metrics)}",
        roofline=profile.roofline_fraction or 0.0,
        promise_us=profile.latency_us * _curable(launches),
    )


def _grain(launch: LaunchProfile | None, metrics: Mapping[str, float]) -> str:
    threads = metrics.get("launch__grid_size", 0.0) * metrics.get("launch__block_size", 0.0)
    if launch is None or not threads:
        return _GRAINS[0][1]
    executed = launch.executed or metrics.get("smsp__thread_inst_executed.sum", 0.0)
    return next(name for bound, name in _GRAINS if executed / threads < bound)


def _curable(launches: tuple[LaunchProfile, ...]) -> float:
    """Return what part of the latency is left when each launch is cured of the cause that costs it most."""
    total = sum(launch.latency_us for launch in launches)
    if not total:
        return 1.0
    cured = sum(
        min((one.latency_us for one in launch.breakdown.what_ifs), default=launch.latency_us)
        if launch.breakdown
        else launch.latency_us
        for launch in launches
    )
    return min(cured / total, 1.0)
