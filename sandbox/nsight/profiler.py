"""Counters of a plan's launches by Nsight Compute, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.device import Array
from sandbox.nsight import counters
from sandbox.nsight.counters import NcuLaunch
from sandbox.nsight.job import PlanRunner, PreparedPlan, prepared
from sandbox.nsight.programs import ask_async, find_program
from sandbox.plan import Plan
from sandbox.program import Program

NOT_INSTALLED = (
    "Nsight Compute (ncu) is not installed: it comes with the CUDA toolkit (package nsight-compute-2025.3.1 or "
    "newer), or from https://developer.nvidia.com/nsight-compute"
)
_ATTEMPTS = 4


@dataclass(frozen=True)
class Counters:
    """What Nsight Compute measured.

    Attributes:
        launches: One for every launch of the plan and in its order; empty where nothing was measured.
        note: Why nothing was measured, or which metrics are missing; empty where all is well.
    """

    launches: tuple[NcuLaunch, ...] = ()
    note: str = ""


class Profiler:
    """Runs plans under Nsight Compute; remembers which metrics there are not, and that counters are forbidden."""

    def __init__(self, target: PlanRunner, *, program: Path | None = None) -> None:
        """Find `ncu`; nothing is started until it is used.

        Args:
            target: Who runs the plans.
            program: Nsight Compute's command line; None to look for it.
        """
        self._target = target
        self._program = program or find_program("ncu")
        self._missing: set[str] = set()
        self._refusal = "" if self._program else NOT_INSTALLED

    async def count(
        self,
        program: Program,
        plan: Plan,
        samples: Mapping[str, Array],
        *,
        deadline_s: float,
        full: bool = False,
    ) -> Counters:
        """Profile every launch of a plan once.

        Args:
            program: Compiled for the device.
            plan: What to launch.
            samples: For every in and inout buffer an array; it is repeated to fill.
            deadline_s: Seconds of wall time, all passes together.
            full: Collect every section, not just the small set; takes some forty passes.
        """
        if self._program is None or self._refusal:
            return Counters(note=self._refusal)
        with prepared(self._target, program, plan, samples, deadline_s) as job:
            return await self._ask(self._program, job, _symbols(program, plan), deadline_s, full=full)

    async def _ask(
        self, ncu: Path, job: PreparedPlan, symbols: Sequence[str], deadline_s: float, *, full: bool
    ) -> Counters:
        said = ""
        for _ in range(_ATTEMPTS):
            asked = [name for name in counters.SMALL if name not in self._missing]
            log = job.folder / "table.csv"
            log.unlink(missing_ok=True)
            words = counters.command(ncu, log, symbols, metrics=asked, full=full)
            ended = await ask_async(
                [*words, *job.command], deadline_s=deadline_s, folder=job.folder,
                environment=self._target.environment,
            )  # fmt: skip
            if ended.status is None:
                return Counters(note=f"Nsight Compute did not end within {deadline_s:g} s")
            # All that ncu says goes there; what is printed may be the kernel's, and is only shown.
            said = log.read_text(errors="replace") if log.exists() else ""
            missing = counters.unknown_metrics(said, asked)
            if not missing:
                return self._read(said, ended.output, symbols)
            self._missing |= missing
        return Counters(note=counters.refusal(said) or "Nsight Compute has none of the metrics")

    def _read(self, said: str, printed: str, symbols: Sequence[str]) -> Counters:
        launches = counters.read(said)
        if [launch.kernel for launch in launches] == list(symbols):
            absent = ", ".join(sorted(self._missing))
            return Counters(tuple(launches), f"not known to this ncu or GPU: {absent}" if absent else "")
        reason = counters.refusal(said)
        if reason == counters.COUNTERS_FORBIDDEN:
            self._refusal = reason  # for good: asking again would only take time
        if reason is None:
            seen = f"Nsight Compute saw {len(launches)} launches where {len(symbols)} were due"
            reason = f"{seen}: {(said or printed)[-300:].strip()}"
        return Counters(note=reason)


def _symbols(program: Program, plan: Plan) -> list[str]:
    return [program.symbols.get(launch.kernel, launch.kernel) for launch in plan.launches]
