"""A real GPU as a `Device`: plans go to one confined worker, which is replaced when its context is lost."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, TypeVar

from sandbox.cuda.noise import digest_words, noise_words
from sandbox.device import Array, Fault, Inspection, ProfileResult, RunResult
from sandbox.devices.cuda_present import PresentGpu
from sandbox.devices.cuda_role import PROBE_WORDS
from sandbox.devices.device_lock import DeviceLock, lock_path
from sandbox.devices.watched import Probe, WatchedPool
from sandbox.errors import WorkerDeadlineError
from sandbox.isolation.base import Isolation, WorkerSpec
from sandbox.isolation.gpu import environment
from sandbox.nsight.job import Target
from sandbox.nsight.sanitizer import Sanitizer
from sandbox.plan import Plan, Role
from sandbox.pool import WorkerPool
from sandbox.program import Program
from sandbox.timing.measured import PairedTimes, TimedPlan
from sandbox.timing.plausibility import faster_than_the_wall
from sandbox.timing.schedule import TimingRules
from sandbox.verdict import Verdict
from sandbox.wire import Limits, dtype_of
from sandbox.worker.messages import (
    CudaAnswer,
    CudaHealth,
    CudaProbeCall,
    CudaRunCall,
    CudaTimeCall,
    CudaTimes,
)
from sandbox.worker_process import WorkerMemoryError

T = TypeVar("T")

PACKAGES = ("numpy", "ml_dtypes", "pycuda")
"""What a GPU worker imports."""

MEMORY_BYTES = 16 << 30
"""Private memory of the host that a worker may use; the copies of a task's buffers among it."""

_HEADER_BYTES = 32 << 20
_GRACE_S = 2.0
"""For what is not the candidate's: buffers, guard zones, copies."""


class Workers(Protocol):
    """What answers calls: `WatchedPool` before a GPU."""

    async def request(
        self,
        call: object,
        *accepted: type[T],
        deadline_s: float,
        limits: Limits = ...,
        spent: Callable[[T], bool] | None = None,
    ) -> T:
        """See `WorkerPool.request`."""
        ...


class Closes(Protocol):
    """What is stopped in the end."""

    async def aclose(self) -> None:
        """Stop it."""
        ...


class CudaDevice:
    """A GPU behind one worker process; implements `sandbox.device.Device`.

    Calls run one after the other; the wait for the worker, and for timings of other processes, is not charged
    to a call's deadline.
    """

    def __init__(
        self, gpu: PresentGpu, workers: Workers, pool: Closes, lock: DeviceLock, sanitizer: Sanitizer
    ) -> None:
        """Use `CudaDevice.on`."""
        self._sanitizer = sanitizer
        self._gpu = gpu
        self._workers = workers
        self._pool = pool
        self._lock = lock

    @classmethod
    def on(cls, gpu: PresentGpu, isolation: Isolation) -> CudaDevice:
        """Return the device for a GPU; nothing is started yet."""
        name = f"cuda:{gpu.index}"
        spec = WorkerSpec(name, MEMORY_BYTES, PACKAGES, threads=True, writes=True, gpu=gpu.index)
        target = Target(name, name, PACKAGES, tuple(environment().items()))
        pool = WorkerPool(spec, isolation)
        return cls(
            gpu, WatchedPool(pool, name, probe()), pool, DeviceLock(lock_path(gpu.bus_id)), Sanitizer(target)
        )

    @property
    def name(self) -> str:
        """See `Device`."""
        return f"cuda:{self._gpu.index}"

    @property
    def architecture(self) -> str:
        """See `Device`."""
        return self._gpu.architecture

    async def run(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, poison: int, deadline_s: float
    ) -> RunResult:
        """See `Device`."""
        call = CudaRunCall(program, plan, inputs, poison)
        async with self._lock.held(alone=False):
            answer = await self._ask(
                call, CudaAnswer, deadline_s, bytes_back(plan), lambda answer: answer.spent
            )
        return RunResult(answer) if isinstance(answer, Fault) else answer.result

    async def health(self) -> CudaHealth:
        """Say what the GPU is, by its driver.

        Raises:
            WorkerError: It does not answer.
        """
        seed = secrets.randbits(63)
        return await self._workers.request(CudaProbeCall(seed), CudaHealth, deadline_s=30.0)

    async def profile(
        self, program: Program, plan: Plan, samples: Mapping[str, Array], *, deadline_s: float
    ) -> ProfileResult:
        """See `Device`."""
        return ProfileResult(
            Fault(Verdict.UNSUPPORTED, f"unsupported: {self.name} does not time kernels yet")
        )

    async def time_pairs(
        self,
        candidate: TimedPlan,
        baseline: TimedPlan | None,
        inputs: Sequence[Mapping[str, Array]],
        *,
        rules: TimingRules,
        deadline_s: float,
    ) -> PairedTimes:
        """See `sandbox.timing.measured.PairTimer`; no other timing or run of ours is on the GPU meanwhile."""
        call = CudaTimeCall(candidate, baseline, tuple(inputs), rules)
        back = rules.kept * bytes_back(candidate.plan)
        async with self._lock.held(alone=True):
            started = time.monotonic()
            answer = await self._ask(call, CudaTimes, deadline_s, back, lambda answer: answer.spent)
            wall_s = time.monotonic() - started
        if isinstance(answer, Fault):
            return PairedTimes(answer)
        times = answer.times
        wrong = faster_than_the_wall((*times.candidate, *times.baseline), wall_s)
        return PairedTimes(Fault(Verdict.REJECTED, wrong)) if wrong else times

    async def inspect(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, deadline_s: float
    ) -> Inspection:
        """See `Device`: under compute-sanitizer, whose process is not confined as workers are."""
        async with self._lock.held(alone=False):
            return await self._sanitizer.inspect(program, plan, inputs, deadline_s=deadline_s)

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

    async def _ask(
        self, call: object, kind: type[T], deadline_s: float, back: int, spent: Callable[[T], bool]
    ) -> T | Fault:
        limits = Limits(_HEADER_BYTES, _HEADER_BYTES + back)
        try:
            return await self._workers.request(
                call, kind, deadline_s=deadline_s + _GRACE_S, limits=limits, spent=spent
            )
        except WorkerDeadlineError:
            return Fault(
                Verdict.TIMEOUT,
                f"the kernel did not finish within {deadline_s:g} s on {self.name}: look for a loop that never "
                "ends, a barrier or flag that some threads never reach, or far too much work",
            )
        except WorkerMemoryError:
            return Fault(
                Verdict.RESOURCE_LIMIT,
                f"running the kernel on {self.name} took more than {MEMORY_BYTES >> 30} GiB of host memory: look "
                "for buffers larger than the task needs",
            )


def bytes_back(plan: Plan) -> int:
    """Return the size of all buffers of a plan that come back, bytes."""
    sizes = (
        buffer.size * dtype_of(buffer.dtype).itemsize
        for buffer in plan.buffers
        if buffer.role is not Role.SCRATCH
    )
    return sum(sizes)


def probe() -> Probe:
    """Return the request with a known answer that shows whether a GPU still works."""
    seed = secrets.randbits(63)
    expected = digest_words(noise_words(seed, PROBE_WORDS), seed)

    def complaint(answer: CudaHealth) -> str | None:
        return None if answer.digest == expected else f"digest {answer.digest:#x} where {expected:#x} was due"

    return Probe(CudaProbeCall(seed), CudaHealth, complaint)
