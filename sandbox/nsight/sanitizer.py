"""compute-sanitizer around a plan: what only hardware can find, for a kernel that gives right results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from sandbox.device import Array, Inspection
from sandbox.nsight import sanitizer_report
from sandbox.nsight.job import BUFFERS, PlanRunner, PreparedPlan, prepared
from sandbox.nsight.programs import ask_async, find_program
from sandbox.nsight.sanitizer_report import DeviceBuffers, SanitizerReport
from sandbox.plan import Plan
from sandbox.program import Program

NOT_INSTALLED = (
    "compute-sanitizer is not installed (it comes with the CUDA toolkit), so hazards were not looked for"
)
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
FOUND = 86
"""Exit status where something was found; none of the subject's own."""

_OPTIONS: dict[str, tuple[str, ...]] = {
    # Errors of API calls are PyCUDA asking what there is; the padding parts buffers that lie side by side.
    "memcheck": ("--report-api-errors", "no", "--leak-check", "no", "--padding", "256"),
    "racecheck": ("--racecheck-report", "analysis"),
    "initcheck": ("--initcheck-address-space", "all"),
    "synccheck": (),
}
_NEWER = "--initcheck-address-space"
"""Releases before 2025 look at global memory only, and do not know the option."""


class Sanitizer:
    """Runs plans under compute-sanitizer."""

    def __init__(self, target: PlanRunner, *, program: Path | None = None) -> None:
        """Find it; nothing is started until it is used.

        Args:
            target: Who runs the plans.
            program: compute-sanitizer; None to look for it.
        """
        self._target = target
        self._program = program or find_program("compute-sanitizer")

    async def inspect(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, deadline_s: float
    ) -> Inspection:
        """Run a plan once under each tool; stop at the first that finds an error.

        Scratch and outputs are left as the driver gives them, so that reading them unwritten is found.

        Args:
            program: Compiled for the device.
            plan: What to launch; keep it small, for the tools slow a kernel down ten to a hundred times.
            inputs: Flat arrays for every in and inout buffer.
            deadline_s: Seconds of wall time for each tool.
        """
        if self._program is None:
            return Inspection(None, NOT_INSTALLED)
        ran: list[str] = []
        notes: list[str] = []
        with prepared(self._target, program, plan, inputs, deadline_s) as job:
            for tool in TOOLS:
                report = await self._ask(self._program, tool, job, program, deadline_s)
                if isinstance(report, str):
                    notes.append(report)
                    continue
                ran.append(tool)
                faults = [one.fault for one in report.findings if not one.warning]
                if faults:
                    return Inspection(faults[0], f"{tool}: {faults[0].message}", tuple(ran))
                notes += [f"{tool} warns: {one.fault.message}" for one in report.findings[:1]]
        clean = f"{', '.join(ran)} found nothing" if ran else "nothing was looked for"
        return Inspection(None, "; ".join([clean, *notes]), tuple(ran))

    async def _ask(
        self, sanitizer: Path, tool: str, job: PreparedPlan, program: Program, deadline_s: float
    ) -> SanitizerReport | str:
        """Return what the tool found, or why that is not known."""
        options = _OPTIONS[tool]
        while True:
            log = job.folder / f"{tool}.txt"
            words = command(sanitizer, tool, log, options)
            ended = await ask_async(
                [*words, *job.command], deadline_s=deadline_s, folder=job.folder,
                environment=self._target.environment,
            )  # fmt: skip
            if ended.status is None:
                return f"{tool} did not end within {deadline_s:g} s"
            said = log.read_text(errors="replace") if log.exists() else ""
            if _NEWER in options and _NEWER.strip("-") in f"{said}{ended.output}":
                options = tuple(word for word in options if word not in {_NEWER, "all"})
                continue
            names = {symbol: name for name, symbol in program.symbols.items()}
            report = sanitizer_report.read(said, names, _buffers(job))
            if report.total is None or (report.total and not report.findings):
                reason = (said or ended.output)[-300:].strip()
                return f"{tool} did not say what it found (status {ended.status}): {reason}"
            return report


def command(sanitizer: Path, tool: str, log: Path, options: tuple[str, ...]) -> list[str]:
    """Return the arguments in front of the program to look at; the report goes to a file of its own."""
    return [
        str(sanitizer), "--tool", tool, "--error-exitcode", str(FOUND), "--print-limit", "20", "--demangle", "no",
        "--show-backtrace", "no", "--target-processes", "all", *options, "--log-file", str(log),
    ]  # fmt: skip


def _buffers(job: PreparedPlan) -> DeviceBuffers:
    """Where the subject put the buffers, as it says itself."""
    try:
        found = json.loads((job.folder / BUFFERS).read_text())
        return {str(name): (int(place[0]), int(place[1])) for name, place in found.items()}
    except (OSError, ValueError, AttributeError, TypeError, IndexError):
        return {}
