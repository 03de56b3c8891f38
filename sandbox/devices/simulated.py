"""The simulator as a `Device`: plans go to confined workers, their deaths come back as faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from sandbox.asking import LimitReached, ask_within
from sandbox.budget import Budget
from sandbox.closing import AsyncClosing
from sandbox.device import Array, Fault, Inspection, ProfileResult, RunResult
from sandbox.devices.limit_faults import limit_fault
from sandbox.devices.plan_buffers import bytes_back
from sandbox.errors import UsageError, WorkerDiedError
from sandbox.isolation.base import Isolation, WorkerSpec
from sandbox.plan import Plan
from sandbox.pool import WorkerPool
from sandbox.program import Program
from sandbox.quiet import quieter
from sandbox.timing.plausibility import Ceilings
from sandbox.verdict import Provenance, Verdict
from sandbox.wire import MessageLimits
from sandbox.worker.messages import ProfileCall, RunAllCall, RunResults
from sandbox.worker_process import WorkerFailedError

T = TypeVar("T", RunResults, ProfileResult)

PREFIX = "sim:"
MEMORY_BYTES = 12 << 30
"""Address space of a simulator worker: buffers, their shadow, and a few thousand lanes' registers."""

_REPLY_HEADER_BYTES = 32 << 20
_GRACE_S = 5.0
"""The simulator ends a run itself when its processor time is spent, and says where; else the kernel ends it."""


class SimulatedDevice(AsyncClosing):
    """A GPU that is simulated by worker processes; implements `sandbox.device.Device`.

    Up to `workers` calls run at once, further ones wait; the wait is not charged to a call's budget.
    """

    def __init__(
        self, name: str, isolation: Isolation, *, workers: int = 1, memory_bytes: int = MEMORY_BYTES
    ) -> None:
        """Start nothing yet.

        Args:
            name: As the user writes it, for example `sim:h200`.
            isolation: How the workers are confined.
            workers: How many plans may run at once.
            memory_bytes: Limit on a worker's address space.

        Raises:
            UsageError: There is no such simulated GPU; the text lists those there are.
        """
        if name not in simulated_names():
            raise UsageError(f"unknown device {name!r}: expected one of {', '.join(simulated_names())}")
        self._name = name
        self._model = name.removeprefix(PREFIX)
        self._memory_bytes = memory_bytes
        self._pool = WorkerPool(WorkerSpec("simulate", memory_bytes), isolation, size=workers)

    @property
    def name(self) -> str:
        """See `Device`."""
        return self._name

    @property
    def architecture(self) -> str:
        """See `Device`."""
        from sandbox.simulator.gpus.architectures import ARCHITECTURES

        return ARCHITECTURES[self._model].compute

    @property
    def provenance(self) -> Provenance:
        """See `Device`."""
        return Provenance.ESTIMATED

    @property
    def measures(self) -> bool:
        """See `Device`."""
        return False

    async def run(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, poison: int, budget: Budget
    ) -> RunResult:
        """See `Device`."""
        return (await self.run_all(program, plan, [inputs], poison=poison, budget=budget))[0]

    async def run_all(
        self,
        program: Program,
        plan: Plan,
        inputs: Sequence[Mapping[str, Array]],
        *,
        poison: int,
        budget: Budget,
    ) -> Sequence[RunResult]:
        """See `Device`."""
        call = RunAllCall(program, plan, tuple(inputs), poison, self._model, budget)
        back = len(inputs) * bytes_back(plan) * (2 if plan.sampled else 1)  # and which elements were written
        limits = MessageLimits(_REPLY_HEADER_BYTES, _REPLY_HEADER_BYTES + back)
        outcome = await self._ask(call, RunResults, budget, limits)
        return [RunResult(outcome)] if isinstance(outcome, Fault) else outcome.results

    async def profile(
        self, program: Program, plan: Plan, samples: Mapping[str, Array], *, budget: Budget
    ) -> ProfileResult:
        """See `Device`."""
        call = ProfileCall(program, plan, samples, self._model, budget)
        limits = MessageLimits(_REPLY_HEADER_BYTES, _REPLY_HEADER_BYTES)
        outcome = await self._ask(call, ProfileResult, budget, limits)
        return ProfileResult(outcome) if isinstance(outcome, Fault) else outcome

    async def inspect(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, deadline_s: float
    ) -> Inspection:
        """See `Device`; there is nothing to add, for every run looks for hazards."""
        message = f"nothing to add: {self._name} checks every access of every run, and looks for races in it"
        return Inspection(None, message, ("simulator",))

    async def warm(self) -> None:
        """Start a worker ahead of the first call."""
        await self._pool.warm()

    async def aclose(self) -> None:
        """See `Device`."""
        await self._pool.aclose()

    async def _ask(
        self, call: RunAllCall | ProfileCall, kind: type[T], budget: Budget, limits: MessageLimits
    ) -> T | Fault:
        answer = await self._request(call, kind, budget, limits)
        if isinstance(answer, LimitReached) and answer.limit == "lost":
            await quieter()
            answer = await self._request(call, kind, budget, limits)
            if isinstance(answer, LimitReached):
                await self._pool.warm()  # unless workers cannot be started at all
                answer = replace(answer, said=f"{answer.said}, and another one before")
        if isinstance(answer, LimitReached):
            return limit_fault(
                answer,
                self._name,
                deadline_s=budget.seconds,
                memory_bytes=self._memory_bytes,
                suspects="buffers or shared memory",
            )
        return answer

    async def _request(
        self, call: RunAllCall | ProfileCall, kind: type[T], budget: Budget, limits: MessageLimits
    ) -> T | Fault | LimitReached:
        """Ask once; a worker that did not answer, or died, is one that was lost."""
        try:
            answer = await ask_within(
                budget.seconds + _GRACE_S, self._pool, call, kind, limits=limits, deadline_s=budget.wall_s,
                about=call.program.key,
            )  # fmt: skip
        except WorkerFailedError as error:
            reason = str(error).strip().splitlines()[-1]
            what = f"{self._name} failed on this kernel, which is a bug of it: {reason}"
            return Fault(Verdict.UNSUPPORTED, what)
        except WorkerDiedError as error:
            if self._pool.closed:
                raise
            return LimitReached("lost", str(error).strip().splitlines()[-1])
        late = isinstance(answer, LimitReached) and answer.limit == "deadline"
        return replace(answer, limit="lost") if late else answer


def ceilings_of(device: str, dtypes: Iterable[str]) -> Ceilings | None:
    """Return the peak rates of a simulated GPU for operations on these types; None for any other device."""
    if device not in simulated_names():
        return None
    from sandbox.simulator.gpus.ceilings import ceilings

    return ceilings(device.removeprefix(PREFIX), dtypes)


def simulated_names() -> tuple[str, ...]:
    """Return the names of the simulated GPUs, `sim:h200` first."""
    from sandbox.simulator.gpus.architectures import ARCHITECTURES

    names = [PREFIX + model for model in ARCHITECTURES]
    return tuple(sorted(names, key=lambda name: (name != "sim:h200", name)))
