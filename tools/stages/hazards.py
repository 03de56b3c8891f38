"""The hazard stage: tools that look for what a right result does not show, before a kernel is believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sandbox.device import Device
from sandbox.verdict import Verdict
from tools.judge.explanation import shorten
from tools.judge.questions import Oracle
from tools.reports import HazardReport, sizes_text
from tools.stages.compiling import Build, any_scalars
from tools.tasks.task import Case, Task

LARGEST = 1 << 22
"""Elements of a case's buffers, beyond which it is left out: the tools slow a kernel down a hundred times."""


@dataclass(frozen=True)
class HazardStage:
    """Has a device look for hazards.

    Attributes:
        deadline_s: Seconds of wall time for each tool and case.
        cases: How many test cases are looked at, the largest that are not too large.
    """

    device: Device
    deadline_s: float
    cases: int = 2

    async def inspect(self, task: Task, builds: Sequence[Build], oracle: Oracle, seed: int) -> HazardReport:
        """Look at the largest test cases; stop at the first hazard.

        Args:
            task: What must be computed.
            builds: The kernel, compiled for every test case in the task's order.
            oracle: Poses the inputs.
            seed: Of the inputs.

        Raises:
            WorkerError: The environment failed.
        """
        report = HazardReport(Verdict.PASS, "no test case is small enough to look for hazards in")
        for case, build in self._chosen(task, builds):
            report = await self._inspect(case, build, oracle, seed)
            if report.verdict is not Verdict.PASS:
                return report
        return report

    def _chosen(self, task: Task, builds: Sequence[Build]) -> list[tuple[Case, Build]]:
        sized = [
            (_elements(task, build), case, build)
            for case, build in zip(task.judged_cases, builds, strict=True)
        ]
        small = [one for one in sized if one[0] <= LARGEST]
        largest = sorted(small, key=lambda one: one[0], reverse=True)[: self.cases]
        return [(case, build) for _, case, build in largest]

    async def _inspect(self, case: Case, build: Build, oracle: Oracle, seed: int) -> HazardReport:
        question = await oracle.question(case, seed)
        inputs = {name: np.ascontiguousarray(array).reshape(-1) for name, array in question.inputs.items()}
        plan = build.plan(question.scalars)
        found = await self.device.inspect(build.program, plan, inputs, deadline_s=self.deadline_s)
        report = HazardReport(Verdict.PASS, shorten(found.message), found.tools)
        if found.fault is None:
            return report
        line = f" (line {found.fault.line})" if found.fault.line is not None else ""
        message = shorten(f"{found.message}{line}; at {sizes_text(case.dims)}.")
        return replace(report, verdict=found.fault.verdict, message=message, fault=found.fault)


def _elements(task: Task, build: Build) -> int:
    return sum(buffer.size for buffer in build.plan(any_scalars(task)).buffers)
