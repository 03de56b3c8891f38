"""The worker's side of the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.device import ProfileResult, RunResult
from sandbox.simulator import profiling
from sandbox.simulator.execute import running
from sandbox.worker.messages import ProfileCall, RunAllCall, RunCall, RunResults


@dataclass(frozen=True)
class SimulateRole:
    """Role `simulate`: runs and profiles plans on the simulator."""

    accepts: tuple[type[Any], ...] = (RunCall, RunAllCall, ProfileCall)

    def answer(self, call: RunCall | RunAllCall | ProfileCall) -> RunResult | RunResults | ProfileResult:
        """Run or profile."""
        if isinstance(call, RunAllCall):
            results = running.run_all(
                call.program,
                call.plan,
                call.inputs,
                call.poison,
                architecture=call.architecture,
                budget=call.budget,
            )
            return RunResults(tuple(results))
        if isinstance(call, RunCall):
            return running.run(
                call.program,
                call.plan,
                call.inputs,
                call.poison,
                architecture=call.architecture,
                budget=call.budget,
            )
        return profiling.profile(call.program, call.plan, call.samples, call.architecture, budget=call.budget)
