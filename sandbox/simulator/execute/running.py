"""Runs a plan, every access checked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sandbox.budget import Budget
from sandbox.device import Array, RunResult
from sandbox.dtypes import DTYPE_BYTES, numpy_dtype
from sandbox.plan import Launch, LaunchMode, Plan, Role
from sandbox.poison import poison_bytes
from sandbox.program import Program
from sandbox.simulator.execute.effort import Effort
from sandbox.simulator.execute.interleaving import finished
from sandbox.simulator.execute.launching import (
    LaunchSetup,
    LoadedProgram,
    batches,
    buffer_sizes,
    check_limits,
    check_resident,
    check_whole,
    cluster_of,
    pack_parameters,
)
from sandbox.simulator.execute.printing import PRINT_LIMIT
from sandbox.simulator.execute.scheduler import Scheduler
from sandbox.simulator.gpus.architectures import ARCHITECTURES, Architecture
from sandbox.simulator.hazards.clusters import ClusterHazards
from sandbox.simulator.hazards.globals import GlobalHazards
from sandbox.simulator.hazards.inputs import InputWrites
from sandbox.simulator.hazards.ordered import OrderedHazards
from sandbox.simulator.hazards.shadow import Watched, watch
from sandbox.simulator.hazards.shared import SharedHazards
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import Geometry
from sandbox.simulator.machine.memory import Arena
from sandbox.simulator.machine.state import Machine, Observer

_FILL_WORDS = 1 << 14


class _Loader:
    """Remembers the last few parsed programs by their key."""

    @staticmethod
    @lru_cache(maxsize=64)
    def by_key(key: str, program: _Hashed) -> LoadedProgram:
        return LoadedProgram(program.program)


class _Hashed:
    """A program that compares by key: its dicts are not hashable."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def __hash__(self) -> int:
        return hash(self.program.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and other.program.key == self.program.key


@dataclass(frozen=True)
class _Order:
    """In which order blocks, and threads at atomics, run: a pure function of the poison."""

    poison: int

    @property
    def backwards(self) -> bool:
        return bool(self.poison % 2)

    @property
    def turn(self) -> int:
        return self.poison >> 1


def load(program: Program) -> LoadedProgram:
    """Parse a program, or return the parsed form of the same one.

    Raises:
        FaultError: UNSUPPORTED where the PTX cannot be read.
    """
    return _Loader.by_key(program.key, _Hashed(program))


def run(
    program: Program,
    plan: Plan,
    inputs: Mapping[str, Array],
    poison: int,
    *,
    architecture: str = "h200",
    budget: Budget | None = None,
    hazards: bool = True,
) -> RunResult:
    """Execute a plan once, every access checked.

    Args:
        program: Compiled; its PTX is what runs.
        plan: What to launch, in order.
        inputs: Flat arrays for in and inout buffers.
        poison: Seed of the bytes that outputs, scratch and shared memory hold beforehand; where it is odd, the
            blocks, and the threads of a block at atomics, go in reverse order from another start, and in programs
            with atomics every other warp is held back, so that two runs show what depends on the order.
        architecture: A name in `ARCHITECTURES`, for its limits.
        budget: What the run may cost; beyond the work it ends as a TIMEOUT fault that names where it was, beyond
            the processor time as an UNDECIDED one.
        hazards: Whether to look for races and reads of what nothing wrote; bounds are always checked.
    """
    started = time.monotonic()
    effort = Effort(budget)
    try:
        loaded = load(program)
        arena = _fill(plan, loaded, inputs, poison)
        watched = _watch(plan, loaded, arena) if hazards else None
        inputs_only = InputWrites({b.name: DTYPE_BYTES[b.dtype] for b in plan.buffers if b.role is Role.IN})
        notes, undefined = dict[str, None](), dict[str, None]()
        printed: list[str] = []
        for launch in plan.launches:
            setup = prepare(loaded, launch, arena, poison, ARCHITECTURES[architecture])
            order = _Order(poison)
            printed += _execute(
                setup, watched, notes, effort, inputs=inputs_only, order=order, undefined=undefined
            )
    except FaultError as error:
        return RunResult(fault=error.fault, seconds=time.monotonic() - started)
    outputs = {
        b.name: _read(arena, b.name, b.dtype) for b in plan.buffers if b.role in {Role.OUT, Role.INOUT}
    }
    kept = {b.name: _read(arena, b.name, b.dtype) for b in plan.buffers if b.role is Role.IN}
    text = "".join(printed)[:PRINT_LIMIT]
    seconds = time.monotonic() - started
    return RunResult(None, outputs, kept, text, tuple(notes), seconds, tuple(undefined), effort.work)


def prepare(
    loaded: LoadedProgram, launch: Launch, arena: Arena, poison: int, architecture: Architecture
) -> LaunchSetup:
    """Check a launch and resolve its parameters and symbols.

    Raises:
        FaultError: LAUNCH_ERROR or UNSUPPORTED.
    """
    code = loaded.kernel(launch.kernel)
    check_limits(launch, code, architecture)
    setup = LaunchSetup(
        launch=launch,
        loaded=loaded,
        code=code,
        geometry=Geometry(launch.grid, launch.block, cluster_of(launch, code)),
        arena=arena,
        parameters=pack_parameters(launch, code, arena),
        symbols=loaded.function_addresses()
        | {v.name: arena.address(f"{v.name}@module") for v in loaded.device_variables},
        fill=poison_bytes(poison, "shared memory", 4 * _FILL_WORDS).view(np.uint32),
        architecture=architecture,
    )
    if launch.mode is LaunchMode.COOPERATIVE:
        check_resident(setup)
    return setup


def _watch(plan: Plan, loaded: LoadedProgram, arena: Arena) -> dict[str, Watched]:
    """Shadows of the buffers that kernels may write; inputs they may not."""
    return {
        buffer.name: watch(
            arena.allocations[buffer.name].start,
            buffer.size * DTYPE_BYTES[buffer.dtype],
            DTYPE_BYTES[buffer.dtype],
            written=buffer.role is Role.INOUT,
        )
        for buffer in plan.buffers
        if buffer.role is not Role.IN
    } | _watch_variables(loaded, arena)


def _watch_variables(loaded: LoadedProgram, arena: Arena) -> dict[str, Watched]:
    """Shadows of device variables; those without an initial image are zero."""
    variables = [v for v in loaded.device_variables if v.space == "global" and v.name[0] != "$"]
    return {
        f"{v.name}@module": watch(
            arena.allocations[f"{v.name}@module"].start, v.size, min(4, v.align), written=True
        )
        for v in variables
    }


def _execute(
    setup: LaunchSetup,
    watched: dict[str, Watched] | None,
    notes: dict[str, None],
    effort: Effort,
    *,
    inputs: InputWrites,
    order: _Order,
    undefined: dict[str, None],
) -> list[str]:
    """Run every batch of a launch, watching for hazards unless `watched` is None; what the kernel printed."""
    check_whole(setup)
    printed: list[str] = []
    for shadow in (watched or {}).values():
        shadow.start_launch()
    launch_wide: tuple[Observer, ...] = ()
    if watched is not None:
        launch_wide = (inputs, GlobalHazards(watched, setup.geometry, notes, setup.code.waits))

    def started() -> Iterator[Under]:
        for blocks in batches(setup, backwards=order.backwards, turn=order.turn):
            within = _within(setup, notes) if launch_wide else []
            machine = setup.machine(blocks, (*within, *launch_wide))
            machine.backwards, machine.notes, machine.undefined = order.backwards, notes, undefined
            drift = order.backwards and setup.loaded.atomic
            yield Under(Scheduler(setup, machine, effort=effort, drift=drift), machine, within)

    with np.errstate(all="ignore"):
        for under in finished(started(), setup.resident_lanes):
            printed += under.machine.printed
            for watch_shared in under.within:
                watch_shared.finish(under.machine)
    return printed


@dataclass(frozen=True)
class Under:
    """A batch of blocks that is being run, with the watches over its shared memory."""

    scheduler: Scheduler
    machine: Machine
    within: Sequence[SharedHazards | OrderedHazards] = ()


def _within(setup: LaunchSetup, notes: dict[str, None]) -> list[SharedHazards | OrderedHazards]:
    """The watches over the shared memory of one batch."""
    granularity = setup.code.granularity
    if setup.geometry.cluster_size > 1:
        return [OrderedHazards(granularity, notes), ClusterHazards(granularity, notes)]
    return [(OrderedHazards if setup.code.ordered else SharedHazards)(granularity, notes)]


def _fill(plan: Plan, loaded: LoadedProgram, inputs: Mapping[str, Array], poison: int) -> Arena:
    """A fresh arena: inputs copied in, outputs and scratch poisoned, device globals at their initial image."""
    arena = Arena(*buffer_sizes(plan, loaded))
    for buffer in plan.buffers:
        target = arena.buffer(buffer.name)
        if buffer.role in {Role.IN, Role.INOUT}:
            target[:] = np.ascontiguousarray(inputs[buffer.name]).reshape(-1).view(np.uint8)
        else:
            target[:] = poison_bytes(poison, buffer.name, target.size)
    initialise_globals(arena, loaded)
    return arena


def initialise_globals(arena: Arena, loaded: LoadedProgram) -> None:
    """Write the initial image of every device global; addresses in initialisers are resolved."""
    functions = loaded.function_addresses()
    for variable in loaded.device_variables:
        if variable.initial is None:
            continue
        target = arena.buffer(f"{variable.name}@module")
        target[:] = np.frombuffer(variable.initial, dtype=np.uint8)
        for offset, symbol in variable.references:
            base = int.from_bytes(target[offset : offset + 8].tobytes(), "little")
            address = base + (functions[symbol] if symbol in functions else arena.address(f"{symbol}@module"))
            target[offset : offset + 8] = np.frombuffer(address.to_bytes(8, "little"), dtype=np.uint8)


def _read(arena: Arena, name: str, dtype: str) -> Array:
    return arena.buffer(name).copy().view(numpy_dtype(dtype))
