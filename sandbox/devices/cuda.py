"""A real GPU as a `Device`: plans go to one confined worker, which is replaced when its context is lost."""

from __future__ import annotations

import asyncio
import importlib.util
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from sandbox.asking import LimitReached, Workers, ask
from sandbox.budget import Budget
from sandbox.closing import AsyncClosing, Closes
from sandbox.cuda.noise import digest_words, noise_words
from sandbox.device import Array, Fault, Inspection, LaunchProfile, ProfileResult, RunResult
from sandbox.devices.cuda_conditions import conditions, seen
from sandbox.devices.cuda_present import PresentGpu
from sandbox.devices.cuda_role import PROBE_WORDS
from sandbox.devices.device_lock import DeviceLock, lock_path
from sandbox.devices.limit_faults import limit_fault
from sandbox.devices.one_by_one import OneByOne
from sandbox.devices.plan_buffers import bytes_back, repeated
from sandbox.devices.watched import Probe, WatchedPool
from sandbox.isolation.base import Isolation, WorkerSpec
from sandbox.isolation.gpu import environment
from sandbox.nsight.ceilings import MeasuredRates
from sandbox.nsight.ceilings import ceilings as measured_rates
from sandbox.nsight.job import PlanRunner
from sandbox.nsight.launch_profiles import launch_profiles
from sandbox.nsight.profiler import Profiler
from sandbox.nsight.sanitizer import Sanitizer
from sandbox.plan import Plan
from sandbox.pool import WorkerPool
from sandbox.program import Program
from sandbox.timing.measured import PairedTimes, TimedPlan
from sandbox.timing.plausibility import Ceilings, faster_than_the_wall
from sandbox.timing.schedule import TimingRules
from sandbox.timing.statistics import summary
from sandbox.verdict import Provenance, Verdict
from sandbox.wire import MessageLimits
from sandbox.worker.messages import (
    CudaAnswer,
    CudaHealth,
    CudaProbeCall,
    CudaRunCall,
    CudaTimeCall,
    CudaTimes,
)

T = TypeVar("T")

MEMORY_BYTES = 16 << 30
"""Private memory of the host that a worker may use; the copies of a task's buffers among it."""

_PROFILE_S = 10.0
_RATE_S = 3.0
_COPY_MARGIN = 1.25
_FMA_MARGIN = 32.0
_HEADER_BYTES = 32 << 20
_GRACE_S = 2.0
"""For what is not the candidate's: buffers, guard zones, copies."""


class CudaDevice(OneByOne, AsyncClosing):
    """A GPU behind one worker process; implements `sandbox.device.Device`.

    Calls run one after the other; the wait for the worker, and for timings of other processes, is not charged
    to a call's deadline.
    """

    def __init__(
        self,
        gpu: PresentGpu,
        workers: Workers,
        pool: Closes,
        lock: DeviceLock,
        tools: PlanRunner,
        kept: Path | None,
    ) -> None:
        """Use `CudaDevice.on`; `tools` says how NVIDIA's tools start us, `kept` is a folder for measured rates."""
        self._sanitizer = Sanitizer(tools)
        self._profiler = Profiler(tools)
        self._kept = kept
        self._rating = asyncio.Lock()
        self._rates: MeasuredRates | None = None
        self._gpu = gpu
        self._workers = workers
        self._pool = pool
        self._lock = lock

    @classmethod
    def on(cls, gpu: PresentGpu, isolation: Isolation) -> CudaDevice:
        """Return the device for a GPU; nothing is started yet."""
        name = f"cuda:{gpu.index}"
        spec = WorkerSpec(name, MEMORY_BYTES, packages(), threads=True, writes=True, gpu=gpu.index)
        target = PlanRunner(name, name, packages(), tuple(environment().items()))
        pool = WorkerPool(spec, isolation)
        path = lock_path(gpu.bus_id)
        return cls(gpu, WatchedPool(pool, name, probe()), pool, DeviceLock(path), target, path.parent)

    @property
    def name(self) -> str:
        """See `Device`."""
        return f"cuda:{self._gpu.index}"

    @property
    def architecture(self) -> str:
        """See `Device`."""
        return self._gpu.architecture

    @property
    def provenance(self) -> Provenance:
        """See `Device`."""
        return Provenance.MEASURED

    @property
    def measures(self) -> bool:
        """See `Device`."""
        return True

    async def run(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, poison: int, budget: Budget
    ) -> RunResult:
        """See `Device`."""
        call = CudaRunCall(program, plan, inputs, poison)
        async with self._lock.held(alone=False):
            answer = await self._ask(
                call, CudaAnswer, budget.seconds, bytes_back(plan), lambda answer: answer.spent
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
        self, program: Program, plan: Plan, samples: Mapping[str, Array], *, budget: Budget
    ) -> ProfileResult:
        """See `Device`."""
        deadline_s = budget.seconds
        timed, filled = TimedPlan(program, plan), repeated(plan, samples)
        rules = TimingRules(limit_s=min(_PROFILE_S, deadline_s / 3), kept=1)
        times = await self.time_pairs(timed, None, [filled], rules=rules, deadline_s=deadline_s)
        if times.fault is not None:
            return ProfileResult(times.fault)
        launches = await self.explain(timed, samples, times.parts, deadline_s=deadline_s)
        latency = summary(times.candidate).median if times.candidate else None
        return ProfileResult(None, latency, Provenance.MEASURED, launches)

    async def explain(
        self,
        timed: TimedPlan,
        inputs: Mapping[str, Array],
        parts: Sequence[float],
        *,
        deadline_s: float,
        full: bool = False,
    ) -> tuple[LaunchProfile, ...]:
        """See `PairTimer`: by Nsight Compute, whose process is not confined as workers are."""
        found = await self._measured_rates()
        async with self._lock.held(alone=True):
            counted = await self._profiler.count(
                timed.program, timed.plan, inputs, deadline_s=deadline_s, full=full
            )
        return launch_profiles(timed.program, timed.plan, parts, counted.launches, found, counted.note)

    async def ceilings(self) -> Ceilings | None:
        """See `PairTimer`: a quarter above a copy's rate; 32 times that of multiply-adds, beyond tensor cores."""
        found = await self._measured_rates()
        if found is None:
            return None
        source = (
            f"{_COPY_MARGIN} times the rate of a copy and {_FMA_MARGIN:g} times that of float32 multiply-adds, "
            f"measured on {self.name}"
        )
        cache = (await self.health()).facts.l2_bytes
        bytes_per_s, flops_per_s = 1e9 * _COPY_MARGIN * found.copy_gbps, 1e9 * _FMA_MARGIN * found.fma_gflops
        return Ceilings(bytes_per_s, flops_per_s, source, cache)

    async def _measured_rates(self) -> MeasuredRates | None:
        async with self._rating:
            if self._rates is None:
                known = await seen(self._gpu.index)
                identity = known.identity if known else f"{self._gpu.name}-{self._gpu.bus_id}"
                self._rates = await measured_rates(
                    self._latency, self.architecture, device=identity, folder=self._kept
                )
            return self._rates

    async def _latency(self, program: Program, plan: Plan, samples: Mapping[str, Array]) -> float | None:
        timed, rules = TimedPlan(program, plan), TimingRules(limit_s=_RATE_S, kept=1)
        filled = [repeated(plan, samples)]
        times = await self.time_pairs(timed, None, filled, rules=rules, deadline_s=10 * _RATE_S)
        return summary(times.candidate).median if times.candidate else None

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
            before = await conditions(self._gpu.index)
            started = time.monotonic()
            answer = await self._ask(call, CudaTimes, deadline_s, back, lambda answer: answer.spent)
            wall_s = time.monotonic() - started
            after = await conditions(self._gpu.index)
        if isinstance(answer, Fault):
            return PairedTimes(answer)
        times = answer.times
        wrong = faster_than_the_wall((*times.candidate, *times.baseline), wall_s)
        if wrong:
            return PairedTimes(Fault(Verdict.REJECTED, wrong))
        return replace(
            times,
            conditions=(f"before: {before}", f"after: {after}"),
            concerns=tuple(dict.fromkeys((*before.concerns, *after.concerns))),
        )

    async def inspect(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, deadline_s: float
    ) -> Inspection:
        """See `Device`: under compute-sanitizer, whose process is not confined as workers are."""
        async with self._lock.held(alone=False):
            return await self._sanitizer.inspect(program, plan, inputs, deadline_s=deadline_s)

    async def aclose(self) -> None:
        """See `Device`."""
        await self._pool.aclose()

    async def _ask(
        self, call: object, kind: type[T], deadline_s: float, back: int, spent: Callable[[T], bool]
    ) -> T | Fault:
        limits = MessageLimits(_HEADER_BYTES, _HEADER_BYTES + back)
        answer = await ask(
            self._workers, call, kind, deadline_s=deadline_s + _GRACE_S, limits=limits, spent=spent
        )
        if isinstance(answer, LimitReached):
            return limit_fault(
                answer, self.name, deadline_s=deadline_s, memory_bytes=MEMORY_BYTES, suspects="buffers"
            )
        return answer


def packages() -> tuple[str, ...]:
    """Return what a GPU worker imports; ml_dtypes where it is installed: only bfloat16 needs it."""
    optional = ("ml_dtypes",) if importlib.util.find_spec("ml_dtypes") else ()
    return ("numpy", "pycuda", *optional)


def probe() -> Probe:
    """Return the request with a known answer that shows whether a GPU still works."""
    seed = secrets.randbits(63)
    expected = digest_words(noise_words(seed, PROBE_WORDS), seed)

    def complaint(answer: CudaHealth) -> str | None:
        return None if answer.digest == expected else f"digest {answer.digest:#x} where {expected:#x} was due"

    return Probe(CudaProbeCall(seed), CudaHealth, complaint)
