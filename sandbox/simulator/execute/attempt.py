"""One attempt at a plan: every launch of it, over one input or several at once, which can be made again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from sandbox.budget import Budget, Work
from sandbox.device import Array, Fault, RunResult
from sandbox.dtypes import DTYPE_BYTES
from sandbox.plan import Plan, Role
from sandbox.program import Program
from sandbox.simulator.execute.contents import fill, read, watched
from sandbox.simulator.execute.effort import Effort
from sandbox.simulator.execute.interleaving import finished
from sandbox.simulator.execute.launching import LaunchSetup, batches
from sandbox.simulator.execute.limits import check_whole
from sandbox.simulator.execute.preparing import prepare
from sandbox.simulator.execute.printing import PRINT_LIMIT
from sandbox.simulator.execute.programs import LoadedProgram, load
from sandbox.simulator.execute.sampled_blocks import check_told, drawn_blocks
from sandbox.simulator.execute.schedule import Schedule
from sandbox.simulator.execute.scheduler import Scheduler
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.simulator.hazards.findings import Findings
from sandbox.simulator.hazards.order import block_of
from sandbox.simulator.hazards.shared import SuspectedError
from sandbox.simulator.hazards.watching import BatchWatch, HazardWatch, WatchedKernel
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.memory import Arena
from sandbox.simulator.machine.state import Machine
from sandbox.simulator.machine.surroundings import Surroundings, seed_of
from sandbox.verdict import Verdict


@dataclass(frozen=True)
class AttemptOutcome:
    """What an attempt ended with, for each of its inputs, and the watch over it.

    Attributes:
        results: One where a fault ended it, whatever input had it.
        suspected: The fast watch gave up: there may be a race.
    """

    results: tuple[RunResult, ...]
    watch: HazardWatch | None = None
    suspected: bool = False

    @property
    def result(self) -> RunResult:
        """That of the only input, or of the first."""
        return self.results[0]

    @property
    def clean(self) -> bool:
        """Whether it ran to its end, and nothing was found that has to be looked into."""
        return not self.suspected and self.result.fault is None and not self.result.printed and self._settled

    @property
    def _settled(self) -> bool:
        return self.watch is None or self.watch.findings.dead_read is None


@dataclass(frozen=True)
class _Told:
    """What the batches of a run say that is no failure: see `Machine`."""

    notes: dict[str, None] = field(default_factory=dict[str, None])
    undefined: dict[str, None] = field(default_factory=dict[str, None])


@dataclass(frozen=True)
class _AttemptState:
    """What the launches of an attempt share."""

    watch: HazardWatch | None
    told: _Told
    effort: Effort


@dataclass(frozen=True)
class Attempt:
    """A run that can be repeated: another one with the same arguments does the same.

    Attributes:
        inputs: Of several, each has a replica of the grid and of its memory; all have the same surroundings.
        scheduled: Whether an odd poison draws a schedule.
    """

    program: Program
    plan: Plan
    inputs: tuple[Mapping[str, Array], ...]
    poison: int
    architecture: str
    budget: Budget | None
    scheduled: bool = True

    def run(self, exact: bool | None, *, inverted: bool = False) -> AttemptOutcome:
        """Run once.

        Args:
            exact: Whether hazards are looked for with vector clocks throughout; None not to look for any.
            inverted: Flip every bit that memory holds before something writes it.
        """
        running = _AttemptState(None, _Told(), Effort(self.budget))
        try:
            loaded = load(self.program)
            if self.plan.sampled:
                check_told(self.plan, loaded)
            surroundings = Surroundings(self.poison, seed_of("approximations", self.inputs[0]))
            arena = fill(self.plan, loaded, self.inputs, surroundings, inverted=inverted)
            if exact is not None:
                running = self._watched(loaded, arena, running.effort, exact)
            printed = self._launched(loaded, arena, surroundings, running, inverted=inverted)
        except FaultError as error:
            return AttemptOutcome((_ended(error.fault, running.watch),), running.watch)
        except SuspectedError:
            return AttemptOutcome((RunResult(None),), running.watch, suspected=True)
        whole = self._result(printed, running)
        results = tuple(self._of_replica(whole, arena, replica) for replica in range(arena.replicas))
        if self.plan.sampled and running.watch is not None:
            told = _told_of(running.watch, results[0])
            blocks = math.prod(self.plan.launches[0].grid)
            reach = {name: blocks * _most_of_a_block(running.watch, name, told[name]) for name in told}
            results = (replace(results[0], told=told, reach=reach),)
        return AttemptOutcome(results, running.watch)

    def _watched(self, loaded: LoadedProgram, arena: Arena, effort: Effort, exact: bool) -> _AttemptState:
        inputs = {b.name: DTYPE_BYTES[b.dtype] for b in self.plan.buffers if b.role is Role.IN}
        watch = HazardWatch(watched(self.plan, loaded, arena), inputs, exact, Findings(exact))
        return _AttemptState(watch, _Told(watch.findings.notes), effort)

    def _launched(
        self,
        loaded: LoadedProgram,
        arena: Arena,
        surroundings: Surroundings,
        running: _AttemptState,
        *,
        inverted: bool,
    ) -> str:
        """Run every launch; what they printed."""
        printed: list[str] = []
        architecture, most = ARCHITECTURES[self.architecture], self.plan.sampled
        for number, launch in enumerate(self.plan.launches):
            setup = prepare(loaded, launch, arena, surroundings, architecture, number=number)
            setup = replace(setup, fill=~setup.fill) if inverted else setup
            schedule = Schedule(self.poison if self.scheduled and self.poison % 2 else None, number)
            chosen = drawn_blocks(setup, most, self.poison) if most else None
            printed += _execute(setup, running, schedule, chosen)
        return "".join(printed)[:PRINT_LIMIT]

    def _result(self, printed: str, running: _AttemptState) -> RunResult:
        """What is true for every input; the work is shared out."""
        told, work, count = running.told, running.effort.work, len(self.inputs)
        share = Work(-(-work.thread_instructions // count), work.steps)
        result = RunResult(
            None, printed=printed, notes=tuple(told.notes), undefined=tuple(told.undefined), work=share
        )
        races = () if running.watch is None else running.watch.findings.races
        return replace(result, fault=races[0], further=tuple(races[1:])) if races else result

    def _of_replica(self, whole: RunResult, arena: Arena, replica: int) -> RunResult:
        outputs = read(arena, self.plan, {Role.OUT, Role.INOUT}, replica)
        return replace(whole, outputs=outputs, inputs=read(arena, self.plan, {Role.IN}, replica))


def _ended(fault: Fault, watch: HazardWatch | None) -> RunResult:
    """What a fault ended; what raced before it is the likelier cause."""
    races = () if watch is None else watch.findings.races
    if not races:
        return RunResult(fault)
    effect = () if fault in races or fault.verdict in {Verdict.TIMEOUT, Verdict.UNDECIDED} else (fault,)
    return RunResult(races[0], further=(*races[1:], *effect))


def _told_of(watch: HazardWatch, result: RunResult) -> dict[str, Array]:
    """Which elements of each output something wrote."""
    return {name: np.all(written(watch, name, array), axis=1) for name, array in result.outputs.items()}


def _most_of_a_block(watch: HazardWatch, name: str, told: Array) -> int:
    """How many elements of an output the block wrote that wrote most."""
    shadow = watch.buffers[name]
    first = np.flatnonzero(told) * shadow.itemsize // shadow.granularity
    blocks = block_of(shadow.writer.take(first))
    return int(np.unique(blocks, return_counts=True)[1].max(initial=0))


def written(watch: HazardWatch, name: str, found: Array) -> Array:
    """Which bytes of an output of a run over one input were written, shape (elements, bytes of one)."""
    shadow = watch.buffers[name]
    bytes_ = np.repeat(shadow.written, shadow.granularity)[: found.nbytes]
    return bytes_.reshape(found.size, found.itemsize)


@dataclass(frozen=True)
class _WatchedBatch:
    """A batch of blocks that is being run, with the watch over it."""

    scheduler: Scheduler
    machine: Machine
    within: BatchWatch | None = None


def _execute(
    setup: LaunchSetup, running: _AttemptState, schedule: Schedule, chosen: Array | None
) -> list[str]:
    """Run the chosen blocks of a launch, or all; what they printed."""
    check_whole(setup)
    printed: list[str] = []
    code, watch, told = setup.code, running.watch, running.told
    kernel = WatchedKernel(code.granularity, code.ordered, code.proxies, code.uses)
    words = setup.arena.bytes.size // 4 + 4
    launch = watch.launch(kernel, setup.geometry, words) if watch else None

    def started() -> Iterator[_WatchedBatch]:
        for blocks in batches(setup, chosen, schedule):
            within = launch.batch() if launch else None
            machine = setup.machine(blocks, within.observers if within else ())
            restless = code.uses.waits or code.uses.tickets
            inside = schedule.batch(
                setup.geometry, blocks, drifting=setup.loaded.unsteady or restless, restless=restless
            )
            machine.turns = inside.turns if inside else None
            machine.notes, machine.undefined = told.notes, told.undefined
            if within:
                within.start(machine)
            yield _WatchedBatch(
                Scheduler(setup, machine, effort=running.effort, schedule=inside), machine, within
            )

    with np.errstate(all="ignore"):
        for under in finished(started(), setup.resident_lanes):
            printed += under.machine.printed
            if under.within:
                under.within.finish(under.machine)
    return printed
