"""What is measured, estimated and counted of every kernel; timings first, for the rest is compared with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

from benchmarks.gpu.budget import ITEM_S, Clock, shares, within
from benchmarks.gpu.counts import compared
from benchmarks.gpu.kernels import Entry
from benchmarks.gpu.measuring import Machine
from benchmarks.gpu.results import Kernel, Results
from sandbox.budget import Budget
from sandbox.device import LaunchProfile
from sandbox.errors import UsageError
from sandbox.timing.measured import TimedPlan, times_pairs
from sandbox.verdict import Provenance, Verdict
from tools.judge.oracle import bench_samples
from tools.reports import CheckReport, ProfileReport
from tools.stages.compiling import CompileStage
from tools.tasks.task import Case
from tools.toolbox import CheckOrder, ProfileOrder

FIRST = 4.0
"""How much more the first kernel of a task is thought to take: the task is frozen, its answers are computed."""

_Name = tuple[str, str]


class KernelParts:
    """The parts that go over all kernels."""

    def __init__(
        self,
        machine: Machine,
        clock: Clock,
        results: Results,
        entries: Sequence[Entry],
        save: Callable[[], None],
    ) -> None:
        """Begin with nothing known of any kernel.

        Args:
            machine: Where they run.
            clock: Of the run.
            results: Where to note what is found.
            entries: The kernels; those of one group lie side by side.
            save: Writes what is known so far.
        """
        self._machine = machine
        self._clock = clock
        self._results = results
        self._save = save
        self.entries = entries
        self._places = {_name(entry): place for place, entry in enumerate(entries)}
        self._timed: dict[_Name, ProfileReport] = {}
        self._estimated: dict[_Name, ProfileReport] = {}
        results.kernels = [Kernel(one.group, one.variant, one.sha, one.task.sha) for one in entries]

    async def time(self) -> None:
        """Judge and time every kernel on the GPU, without counters; what timed runs computed is judged too."""
        groups = [list(some) for _, some in groupby(self.entries, lambda entry: entry.group)]
        weights = [
            FIRST if first else 1.0 for some in groups for first in (True, *(False,) * (len(some) - 1))
        ]
        limits = shares(self._clock, weights)
        for some in groups:
            toolbox = self._machine.gpu_tools()
            for entry in some:
                order = CheckOrder(entry.task, entry.text, benches=False)
                report = await within(
                    next(limits), self._results.skipped, _said(entry),
                    lambda order=order, toolbox=toolbox: toolbox.do(order),
                )  # fmt: skip
                if report is not None:
                    self._note_timing(entry, report)
            self._save()

    def _note_timing(self, entry: Entry, report: CheckReport) -> None:
        self._note(entry, verdict=report.verdict.value, message=report.message)
        timed = report.profile
        if timed is None or timed.latency_us is None or timed.provenance is not Provenance.MEASURED:
            return
        self._timed[_name(entry)] = timed
        self._note(
            entry, measured_us=timed.latency_us, measured_provenance=timed.provenance.value,
            measured_roofline=timed.roofline_fraction, speedup=timed.speedup,
        )  # fmt: skip

    async def estimate(self) -> None:
        """Estimate every kernel on the simulator."""
        await asyncio.gather(*(self._estimate(entry) for entry in self.entries))

    async def _estimate(self, entry: Entry) -> None:
        what = f"estimate of {_said(entry)}"
        toolbox, order = self._machine.simulator_tools, ProfileOrder(entry.task, entry.text)
        limit_s = min(ITEM_S, self._clock.left)
        report = await within(limit_s, self._results.skipped, what, lambda: toolbox.do(order))
        if report is not None and report.verdict is Verdict.PASS:
            self._estimated[_name(entry)] = report
            self._note(entry, estimated_us=report.latency_us, estimated_bottleneck=report.bottleneck)
        elif report is not None:
            self._results.skipped.append(f"{what}: {report.message}")

    async def count(self) -> None:
        """Count on the GPU what passed and was estimated, of every task one kernel before another one of any."""
        waiting = self._in_turn()
        while waiting and self._clock.left > 1:
            entry = waiting.pop(0)
            limit_s = min(ITEM_S, self._clock.left)
            launches = await within(
                limit_s, self._results.skipped, f"counters of {_said(entry)}",
                lambda entry=entry: self._counters(entry),
            )  # fmt: skip
            if launches is not None:
                self._note_counters(entry, launches)
        if waiting:
            names = ", ".join(map(_said, waiting))
            self._results.skipped.append(f"counters of {len(waiting)} kernels: out of time: {names}")

    def _in_turn(self) -> list[Entry]:
        turns: dict[str, int] = {}
        keyed: list[tuple[int, int]] = []
        for place, entry in enumerate(self.entries):
            if _name(entry) in self._timed and _name(entry) in self._estimated:
                turns[entry.group] = turns.get(entry.group, 0) + 1
                keyed.append((turns[entry.group], place))
        return [self.entries[place] for _, place in sorted(keyed)]

    async def _counters(self, entry: Entry) -> list[tuple[LaunchProfile, ...]]:
        stage = CompileStage(self._machine.compiler, self._machine.gpu.architecture)
        parts = [[one.latency_us for one in shape.launches] for shape in self._timed[_name(entry)].shapes]
        return [
            await self._explain(entry, case, stage, times)
            for case, times in zip(entry.task.benches, parts, strict=True)
        ]

    async def _explain(
        self, entry: Entry, case: Case, stage: CompileStage, times: Sequence[float]
    ) -> tuple[LaunchProfile, ...]:
        compiled = await stage.compile(entry.task, entry.text, case.dims)
        if compiled.build is None:
            raise UsageError(compiled.report.message)
        samples = bench_samples(entry.task, case)
        program, plan = compiled.build.program, compiled.build.plan(samples.scalars)
        gpu = self._machine.gpu
        if times_pairs(gpu):
            return await gpu.explain(TimedPlan(program, plan), samples.buffers, times, deadline_s=ITEM_S)
        return (await gpu.profile(program, plan, samples.buffers, budget=Budget(ITEM_S))).launches

    def _note_counters(self, entry: Entry, measured: Sequence[Sequence[LaunchProfile]]) -> None:
        launches = [one for some in measured for one in some]
        # What ncu lacks or is forbidden is the same for every kernel: said once.
        notes = {f"counters: {one.note}" for one in launches if one.note}
        self._results.skipped += sorted(notes.difference(self._results.skipped))
        simulated = [shape.launches for shape in self._estimated[_name(entry)].shapes]
        longest = max(launches, key=lambda one: one.latency_us)
        self._note(entry, measured_bottleneck=longest.bottleneck, counts=compared(measured, simulated))

    def _note(self, entry: Entry, **fields: object) -> None:
        place = self._places[_name(entry)]
        self._results.kernels[place] = replace(self._results.kernels[place], **fields)  # pyright: ignore[reportArgumentType]


def _name(entry: Entry) -> _Name:
    return entry.group, entry.variant


def _said(entry: Entry) -> str:
    return f"{entry.group}/{entry.variant}"
