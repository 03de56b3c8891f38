"""The simulator as a `Device`: plans go to confined workers, their deaths come back as faults."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self, TypeVar

from sandbox.budget import Budget
from sandbox.device import Array, Fault, Inspection, ProfileResult, RunResult
from sandbox.errors import UsageError, WorkerDeadlineError, WorkerDiedError, WorkerError
from sandbox.isolation.base import Isolation, WorkerSpec
from sandbox.plan import Plan, Role
from sandbox.pool import WorkerPool
from sandbox.program import Program
from sandbox.quiet import quieter
from sandbox.verdict import Verdict
from sandbox.wire import MessageLimits, dtype_of
from sandbox.worker.messages import ProfileCall, RunCall
from sandbox.worker_process import (
    WorkerFailedError,
    WorkerKilledError,
    WorkerMemoryError,
    WorkerSpentError,
)

T = TypeVar("T", RunResult, ProfileResult)

PREFIX = "sim:"
MEMORY_BYTES = 12 << 30
"""Address space of a simulator worker: buffers, their shadow, and a few thousand lanes' registers."""

_REPLY_HEADER_BYTES = 32 << 20
_GRACE_S = 5.0
"""The simulator ends a run itself when its processor time is spent, and says where; else the kernel ends it."""


class SimulatedDevice:
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

    async def run(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, poison: int, budget: Budget
    ) -> RunResult:
        """See `Device`."""
        call = RunCall(program, plan, inputs, poison, self._model, budget)
        outcome = await self._ask(call, RunResult, budget, _reply_limits(plan))
        return RunResult(outcome) if isinstance(outcome, Fault) else outcome

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

    async def __aenter__(self) -> Self:
        """Enter; leaving closes."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.aclose()

    async def _ask(self, call: object, kind: type[T], budget: Budget, limits: MessageLimits) -> T | Fault:
        try:
            return await self._request(call, kind, budget, limits)
        except (WorkerKilledError, WorkerDeadlineError, WorkerDiedError) as error:
            if self._pool.closed or _at_its_limit(error):
                return self._limit(error)
            await quieter()
        try:
            return await self._request(call, kind, budget, limits)
        except (WorkerKilledError, WorkerDeadlineError, WorkerDiedError) as error:
            if _at_its_limit(error):
                return self._limit(error)
            await self._pool.warm()  # unless workers cannot be started at all
            what = (
                f"not judged: {self._name} lost its worker twice ({_last_line(error)}); try again when this machine "
                "has less to do, or more memory"
            )
            return Fault(Verdict.UNDECIDED, what)

    async def _request(self, call: object, kind: type[T], budget: Budget, limits: MessageLimits) -> T | Fault:
        try:
            return await self._pool.request(
                call, kind, deadline_s=budget.wall_s, cpu_s=budget.seconds + _GRACE_S, limits=limits
            )
        except WorkerSpentError:
            what = f"not judged: {self._name} took more than {budget.seconds:g} s of processor time on the kernel"
            return Fault(Verdict.UNDECIDED, what)
        except WorkerFailedError as error:
            what = f"{self._name} failed on this kernel, which is a bug of it: {_last_line(error)}"
            return Fault(Verdict.UNSUPPORTED, what)

    def _limit(self, error: WorkerError) -> Fault:
        """What became of a kernel whose worker reached its own limit on memory.

        Raises:
            WorkerError: It did not: the workers were stopped.
        """
        if not _at_its_limit(error):
            raise error
        return Fault(
            Verdict.RESOURCE_LIMIT,
            f"running the kernel on {self._name} took more than {self._memory_bytes / (1 << 30):g} GiB "
            "of host memory: look for buffers or shared memory larger than the task needs",
        )


def _at_its_limit(error: WorkerError) -> bool:
    return isinstance(error, WorkerMemoryError) and not isinstance(error, WorkerKilledError)


def _last_line(error: WorkerError) -> str:
    return str(error).strip().splitlines()[-1]


def simulated_names() -> tuple[str, ...]:
    """Return the names of the simulated GPUs, `sim:h200` first."""
    from sandbox.simulator.gpus.architectures import ARCHITECTURES

    names = [PREFIX + model for model in ARCHITECTURES]
    return tuple(sorted(names, key=lambda name: (name != "sim:h200", name)))


def _reply_limits(plan: Plan) -> MessageLimits:
    size = sum(
        buffer.size * dtype_of(buffer.dtype).itemsize
        for buffer in plan.buffers
        if buffer.role is not Role.SCRATCH
    )
    return MessageLimits(_REPLY_HEADER_BYTES, _REPLY_HEADER_BYTES + size)
