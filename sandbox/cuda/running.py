"""Runs a plan once on a GPU, for its results."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from sandbox.cuda.buffers import GUARD_BYTES, Array, DeviceBuffers, GuardHit
from sandbox.cuda.driver import Driver, DriverError
from sandbox.cuda.harness import Harness
from sandbox.cuda.loading import Loaded, RefusedError, refusal
from sandbox.device import Fault, RunResult
from sandbox.plan import Plan, Role
from sandbox.poison import poison_bytes
from sandbox.program import Program
from sandbox.verdict import Verdict
from sandbox.worker.messages import CudaAnswer

_SECRET_BITS = 63


def run(
    driver: Driver,
    harness: Harness,
    program: Program,
    plan: Plan,
    inputs: Mapping[str, Array],
    poison: int,
    *,
    guard: int = GUARD_BYTES,
) -> CudaAnswer:
    """Execute a plan once: globals from the cubin, outputs and scratch poisoned, guard zones checked after.

    Args:
        driver: The GPU.
        harness: Its harness kernels.
        program: Compiled for its architecture.
        plan: What to launch.
        inputs: Flat arrays for in and inout buffers.
        poison: Seed of `poison_bytes` for outputs and scratch.
        guard: Bytes of a guard zone on each side of every buffer.

    Raises:
        DriverError: The machine failed, not the candidate.
    """
    started = time.monotonic()
    try:
        result = _run(driver, harness, program, plan, inputs, poison, guard)
    except RefusedError as refused:
        return CudaAnswer(RunResult(refused.fault, seconds=time.monotonic() - started), refused.spent)
    return CudaAnswer(result, spent=False)


def _run(
    driver: Driver,
    harness: Harness,
    program: Program,
    plan: Plan,
    inputs: Mapping[str, Array],
    poison: int,
    guard: int,
) -> RunResult:
    started = time.monotonic()
    secret = secrets.randbits(_SECRET_BITS)
    loaded = Loaded(driver, program)
    with afterwards(loaded.unload):
        buffers = allocated(driver, harness, plan, secret, guard)
        with afterwards(buffers.release):
            fill(buffers, inputs, poison)
            loaded.fill_constants(plan, buffers.address)
            buffers.seal()
            harness.dirty_shared(secret)
            for launch in plan.launches:
                loaded.launch(launch, loaded.prepare(launch, buffers.address))
                loaded.finish(launch)
            hit = buffers.guard_hit()
            if hit is not None:
                return RunResult(guard_fault(hit, plan), seconds=time.monotonic() - started)
            outputs, kept = buffers.read({Role.OUT, Role.INOUT}), buffers.read({Role.IN})
            return RunResult(None, outputs, kept, seconds=time.monotonic() - started)


@contextmanager
def afterwards(give_back: Callable[[], None]) -> Generator[None]:
    """Give something back at the end, unless the context is lost: then every call fails, and the worker ends."""
    try:
        yield
    except RefusedError as refused:
        if not refused.spent:
            give_back()
        raise
    except DriverError:
        raise
    give_back()


def allocated(driver: Driver, harness: Harness, plan: Plan, secret: int, guard: int) -> DeviceBuffers:
    """Return a plan's buffers.

    Raises:
        RefusedError: The GPU has not enough memory.
    """
    try:
        return DeviceBuffers(driver, harness, plan, secret, guard)
    except DriverError as error:
        raise refusal(error, "the plan's buffers do not fit the GPU", None) from error


def fill(buffers: DeviceBuffers, inputs: Mapping[str, Array], poison: int) -> None:
    """Write the inputs; poison outputs and scratch."""
    for name, placed in buffers.placed.items():
        given = placed.spec.role in {Role.IN, Role.INOUT}
        buffers.write(name, inputs[name] if given else poison_bytes(poison, name, placed.size))


def guard_fault(hit: GuardHit, plan: Plan) -> Fault:
    """Return the fault of a write outside a buffer."""
    size = next(buffer.size for buffer in plan.buffers if buffer.name == hit.buffer)
    side = "before" if hit.offset < 0 else "past the end of"
    message = (
        f"a kernel wrote {side} {hit.buffer} ({size} elements), at byte offset {hit.offset} from its start"
    )
    return Fault(Verdict.MEMORY_FAULT, message, buffer=hit.buffer, offset=hit.offset)
