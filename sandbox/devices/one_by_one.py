"""For devices that gain nothing from several inputs at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from sandbox.budget import Budget
from sandbox.device import Array, RunResult
from sandbox.plan import Plan
from sandbox.program import Program


class _Runs(Protocol):
    async def run(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, poison: int, budget: Budget
    ) -> RunResult: ...


class OneByOne:
    """Makes `run_all` of a device's `run`."""

    async def run_all(
        self: _Runs,
        program: Program,
        plan: Plan,
        inputs: Sequence[Mapping[str, Array]],
        *,
        poison: int,
        budget: Budget,
    ) -> Sequence[RunResult]:
        """See `sandbox.device.Device`."""
        results: list[RunResult] = []
        for own in inputs:
            results.append(await self.run(program, plan, own, poison=poison, budget=budget))
            if results[-1].fault is not None:
                break
        return results
