"""Runs a plan, every access checked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from sandbox.budget import Budget
from sandbox.device import Array, Fault, RunResult
from sandbox.dtypes import DTYPE_BYTES, numpy_dtype
from sandbox.plan import Launch, Plan, Role
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
from sandbox.simulator.execute.sampled_blocks import check_told, drawn_blocks
from sandbox.simulator.execute.schedule import Schedule
from sandbox.simulator.execute.scheduler import Scheduler
from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.simulator.hazards.findings import Findings
from sandbox.simulator.hazards.shadow import Watched, watch
from sandbox.simulator.hazards.shared import SuspectedError
from sandbox.simulator.hazards.watching import BatchWatch, HazardWatch, WatchedKernel
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import Geometry
from sandbox.simulator.machine.memory import Arena
from sandbox.simulator.machine.state import Machine
from sandbox.simulator.machine.surroundings import Surroundings, seed_of
from sandbox.verdict import Verdict

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
        poison: Seed of the bytes that outputs, scratch and shared memory hold beforehand, and of the run's
            `Surroundings`; where it is odd, of a `Schedule` too, so that two runs show what depends on the order.
        architecture: A name in `ARCHITECTURES`, for its limits.
        budget: What the run may cost; beyond the work it ends as a TIMEOUT fault that names where it was, beyond
            the processor time as an UNDECIDED one.
        hazards: Whether to look for races and reads of what nothing wrote; bounds are always checked.
    """
    started = time.monotonic()
    attempt = _RepeatableRun(program, plan, inputs, poison, architecture, budget)
    result = _judged(attempt) if hazards else attempt.run(None).result
    if poison % 2 and result.fault is not None and result.fault.verdict is Verdict.UNINITIALIZED:
        # What nothing wrote yet, something may write later: in lock step that is a race, and told as one.
        plain = _judged(replace(attempt, scheduled=False))
        result = result if plain.fault is None else plain
    return replace(result, seconds=time.monotonic() - started)


@dataclass(frozen=True)
class _Told:
    """What the batches of a run say that is no failure: see `Machine`."""

    notes: dict[str, None] = field(default_factory=dict[str, None])
    undefined: dict[str, None] = field(default_factory=dict[str, None])


@dataclass(frozen=True)
class _RunOutcome:
    """What a run ended with, and the watch over it."""

    result: RunResult
    watch: HazardWatch | None = None
    suspected: bool = False


@dataclass(frozen=True)
class _RepeatableRun:
    """A run that can be repeated: another one with the same arguments does the same."""

    program: Program
    plan: Plan
    inputs: Mapping[str, Array]
    poison: int
    architecture: str
    budget: Budget | None
    scheduled: bool = True

    def run(self, exact: bool | None, *, inverted: bool = False) -> _RunOutcome:
        """Run once.

        Args:
            exact: Whether hazards are looked for with vector clocks throughout; None not to look for any.
            inverted: Flip every bit that memory holds before something writes it.
        """
        told = _Told()
        printed: list[str] = []
        watch = None
        effort = Effort(self.budget)
        try:
            loaded = load(self.program)
            if self.plan.sampled:
                check_told(self.plan, loaded)
            surroundings = Surroundings(self.poison, seed_of("approximations", self.inputs))
            arena = _fill(self.plan, loaded, self.inputs, surroundings, inverted=inverted)
            if exact is not None:
                inputs = {b.name: DTYPE_BYTES[b.dtype] for b in self.plan.buffers if b.role is Role.IN}
                watch = HazardWatch(_watch(self.plan, loaded, arena), inputs, exact, Findings(exact))
                told = _Told(watch.findings.notes)
            architecture = ARCHITECTURES[self.architecture]
            for number, launch in enumerate(self.plan.launches):
                setup = prepare(loaded, launch, arena, surroundings, architecture, number=number)
                setup = replace(setup, fill=~setup.fill) if inverted else setup
                schedule = Schedule(self.poison if self.scheduled and self.poison % 2 else None, number)
                most = self.plan.sampled
                chosen = drawn_blocks(setup, most, self.poison) if most else None
                printed += _execute(setup, watch, told, effort, schedule, chosen)
        except FaultError as error:
            return _RunOutcome(_ended(error.fault, watch), watch)
        except SuspectedError:
            return _RunOutcome(RunResult(None), watch, suspected=True)
        buffers = self.plan.buffers
        outputs = {b.name: _read(arena, b.name, b.dtype) for b in buffers if b.role in {Role.OUT, Role.INOUT}}
        kept = {b.name: _read(arena, b.name, b.dtype) for b in buffers if b.role is Role.IN}
        text = "".join(printed)[:PRINT_LIMIT]
        notes, undefined = tuple(told.notes), tuple(told.undefined)
        result = RunResult(None, outputs, kept, text, notes, undefined=undefined, work=effort.work)
        if self.plan.sampled and watch is not None:
            told_of = {name: _written(watch, name, array).all(axis=1) for name, array in outputs.items()}
            result = replace(result, told=told_of)
        if watch is not None and watch.findings.races:
            fault, *further = watch.findings.races
            result = replace(result, fault=fault, further=tuple(further))
        return _RunOutcome(result, watch)


def _ended(fault: Fault, watch: HazardWatch | None) -> RunResult:
    """What a fault ended; what raced before it is the likelier cause."""
    races = () if watch is None else watch.findings.races
    if not races:
        return RunResult(fault)
    effect = () if fault in races or fault.verdict in {Verdict.TIMEOUT, Verdict.UNDECIDED} else (fault,)
    return RunResult(races[0], further=(*races[1:], *effect))


def _judged(attempt: _RepeatableRun) -> RunResult:
    """Run under the fast watch, and under vector clocks where that suspects a race; then settle dead reads."""
    outcome = attempt.run(exact=False)
    fault = outcome.result.fault
    if outcome.suspected or (fault is not None and fault.verdict is Verdict.RACE):
        outcome = attempt.run(exact=True)
    if outcome.watch is None:  # it ended before anything ran
        return outcome.result
    read, fault = outcome.watch.findings.dead_read, outcome.result.fault
    if read is None or _races_there(fault, read):
        return outcome.result
    if fault is not None and fault.verdict is Verdict.UNDECIDED:
        return outcome.result
    if fault is not None and fault.verdict is Verdict.RACE and outcome.watch.findings.raced_before:
        return replace(outcome.result, further=(*outcome.result.further, read))
    with_others = () if fault is None else (fault, *outcome.result.further)
    unwritten = replace(outcome.result, fault=read, further=with_others)
    if outcome.watch.findings.steered:
        return unwritten
    other = RunResult(fault) if fault is not None else attempt.run(None, inverted=True).result
    if other.fault is not None and other.fault.verdict is Verdict.UNDECIDED:
        return other
    if fault is None and _same(outcome, other):
        note = f"{read.message}; nothing comes of it: other bytes there give the same results"
        return replace(outcome.result, notes=(*outcome.result.notes, note))
    return unwritten


def _races_there(fault: Fault | None, read: Fault) -> bool:
    """Whether what was read before anybody had written it is what others write at that time."""
    if fault is None or fault.verdict is not Verdict.RACE or fault.buffer != read.buffer:
        return False
    return fault.buffer != "shared memory" or fault.offset == read.offset


def _same(outcome: _RunOutcome, other: RunResult) -> bool:
    """Whether a run with other bytes in unwritten memory gave the same results, wherever something was written."""
    if other.fault is not None or outcome.watch is None:
        return False
    for name, found in outcome.result.outputs.items():
        first, second = (np.ascontiguousarray(a).view(np.uint8) for a in (found, other.outputs[name]))
        if (first != second)[_written(outcome.watch, name, found).reshape(-1)].any():
            return False
    return True


def _written(watch: HazardWatch, name: str, found: Array) -> Array:
    """Which bytes of an output were written, shape (elements, bytes of one)."""
    shadow = watch.buffers[name]
    bytes_ = np.repeat(shadow.written, shadow.granularity)[: found.nbytes]
    return bytes_.reshape(found.size, found.itemsize)


def prepare(
    loaded: LoadedProgram,
    launch: Launch,
    arena: Arena,
    surroundings: Surroundings,
    architecture: Architecture,
    *,
    number: int = 0,
) -> LaunchSetup:
    """Check a launch, the `number`th of its plan from 0, and resolve its parameters and symbols.

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
        symbols=loaded.function_addresses(arena.windows.functions)
        | {v.name: arena.address(f"{v.name}@module") for v in loaded.device_variables},
        fill=poison_bytes(surroundings.seed, "shared memory", 4 * _FILL_WORDS).view(np.uint32),
        architecture=architecture,
        surroundings=surroundings,
        number=number,
    )
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
    watch: HazardWatch | None,
    told: _Told,
    effort: Effort,
    schedule: Schedule,
    chosen: Array | None,
) -> list[str]:
    """Run the chosen blocks of a launch, or all, watching for hazards unless `watch` is None; what it printed."""
    check_whole(setup)
    printed: list[str] = []
    code = setup.code
    kernel = WatchedKernel(code.granularity, code.ordered, code.uses)
    launch = watch.launch(kernel, setup.geometry, setup.arena.extent // 4 + 4) if watch else None

    def started() -> Iterator[Under]:
        for blocks in batches(setup, chosen, schedule):
            within = launch.batch() if launch else None
            machine = setup.machine(blocks, within.observers if within else ())
            inside = schedule.batch(setup.geometry, blocks, drifting=setup.loaded.atomic)
            machine.turns = inside.turns if inside else None
            machine.notes, machine.undefined = told.notes, told.undefined
            if within:
                within.start(machine)
            yield Under(Scheduler(setup, machine, effort=effort, schedule=inside), machine, within)

    with np.errstate(all="ignore"):
        for under in finished(started(), setup.resident_lanes):
            printed += under.machine.printed
            if under.within:
                under.within.finish(under.machine)
    return printed


@dataclass(frozen=True)
class Under:
    """A batch of blocks that is being run, with the watch over it."""

    scheduler: Scheduler
    machine: Machine
    within: BatchWatch | None = None


def _fill(
    plan: Plan,
    loaded: LoadedProgram,
    inputs: Mapping[str, Array],
    surroundings: Surroundings,
    *,
    inverted: bool,
) -> Arena:
    """A fresh arena: inputs copied in, outputs and scratch poisoned, device globals at their initial image."""
    arena = Arena(*buffer_sizes(plan, loaded), surroundings)
    for buffer in plan.buffers:
        target = arena.buffer(buffer.name)
        if buffer.role in {Role.IN, Role.INOUT}:
            target[:] = np.ascontiguousarray(inputs[buffer.name]).reshape(-1).view(np.uint8)
        else:
            target[:] = poison_bytes(surroundings.seed, buffer.name, target.size) ^ (0xFF if inverted else 0)
    initialise_globals(arena, loaded)
    return arena


def initialise_globals(arena: Arena, loaded: LoadedProgram) -> None:
    """Write the initial image of every device global; addresses in initialisers are resolved."""
    functions = loaded.function_addresses(arena.windows.functions)
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
    """A buffer of a run that has ended: nobody writes to its memory any more."""
    return arena.buffer(name).view(numpy_dtype(dtype))
