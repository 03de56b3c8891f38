"""What hazard checks find, and how it is told: both sides of a race, and what would order them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sandbox.device import Fault
from sandbox.simulator.hazards.strength import is_strong
from sandbox.simulator.machine.faults import Batch, FaultError
from sandbox.simulator.machine.lanes import WARP
from sandbox.simulator.ptx.syntax import Instruction

_VERBS = {
    "load": "read",
    "store": "written",
    "atomic": "changed atomically",
    "copy": "copied to asynchronously",
}
_KINDS = {"st": "store", "stmatrix": "store", "atom": "atomic", "red": "atomic", "cp": "copy"}


_PLACES = 8
"""Pairs of lines of which races are kept."""
_TELLINGS = 16
"""How often a race of one pair of lines is looked at, for one between threads that are farther apart."""


@dataclass
class _Race:
    """The race of a pair of lines that is told; `reach` as `_reach` has it."""

    reach: int = -1
    fault: Fault | None = None
    seen: int = 0


@dataclass
class Findings:
    """Of one run.

    Attributes:
        collects: Whether the run goes on after a race, to find the others.
        notes: What is no failure; a dict for its order.
        dead_read: The first read of what nothing wrote. It is a failure unless nothing comes of what was read.
        steering: Say of a load whether the program goes by its value; what it is then matters, whatever came of
            it in this run. One for each kernel that was launched.
        steered: Whether `dead_read` is by one of these.
        raced_before: Whether a race had been found by then.
    """

    collects: bool = False
    notes: dict[str, None] = field(default_factory=dict[str, None])
    dead_read: Fault | None = None
    steering: list[Callable[[Instruction], bool]] = field(default_factory=list[Callable[[Instruction], bool]])
    steered: bool = False
    raced_before: bool = False
    _races: dict[frozenset[int | None], _Race] = field(default_factory=dict[frozenset[int | None], _Race])

    @property
    def races(self) -> tuple[Fault, ...]:
        """Of every pair of lines the one between the threads farthest apart; such pairs first, then as they came."""
        found = sorted(self._races.values(), key=lambda race: -race.reach)
        return tuple(race.fault for race in found if race.fault is not None)

    def race(self, before: Side, now: Side, tell: Callable[[], Fault]) -> None:
        """Two accesses race.

        A barrier for threads far apart orders those close together too, so of one pair of lines only the race
        between the threads farthest apart is told.

        Raises:
            FaultError: The run does not go on after a race.
        """
        lines = frozenset((before.instruction.line, now.instruction.line))
        if lines not in self._races and len(self._races) == _PLACES:
            return
        race = self._races.setdefault(lines, _Race())
        race.seen += 1
        reach = _reach(before, now)
        if reach <= race.reach or race.seen > _TELLINGS:
            return
        fault = tell()
        other = next((line for line in lines if line != fault.line), fault.line)
        race.reach, race.fault = reach, replace(fault, other_line=other)
        if not self.collects:
            raise FaultError(race.fault)

    def note(self, text: str) -> None:
        """Keep a note, each once."""
        self.notes[text] = None

    def unwritten(self, fault: Fault, instruction: Instruction) -> None:
        """An instruction read what nothing wrote."""
        if self.dead_read is None:
            self.dead_read, self.raced_before = fault, bool(self._races)
        if not self.steered and any(steers(instruction) for steers in self.steering):
            self.dead_read, self.steered = fault, True


class Instructions:
    """Numbers instructions, so that what is remembered of a unit can say which one it was."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._known: list[Instruction] = []

    def number(self, instruction: Instruction) -> int:
        """Its number."""
        found = self._numbers.setdefault(id(instruction), len(self._known))
        if found == len(self._known):
            self._known.append(instruction)
        return found

    def __getitem__(self, number: int) -> Instruction:
        return self._known[number]


@dataclass(frozen=True)
class Side:
    """One side of a race: what was done, by which linear block and thread."""

    instruction: Instruction
    block: int
    thread: int
    kind: str = ""

    @property
    def verb(self) -> str:
        """For example `written`."""
        return _VERBS[self.kind or _KINDS.get(self.instruction.opcode, "load")]


def _reach(before: Side, now: Side) -> int:
    """How far apart the sides are: 0 within a warp, 1 between warps, 2 between blocks."""
    if before.block != now.block:
        return 2
    return int(before.thread // WARP != now.thread // WARP)


def told(batch: Batch, before: Side, now: Side, reason: str = "") -> str:
    """Both sides, the later one last, and what would order them; `reason` where that is known better."""

    def side(one: Side) -> str:
        block, thread = batch.coordinates(one.block, one.thread)
        return f"{one.verb} at line {one.instruction.line} by thread {thread} of block {block}"

    return f"{side(before)}, and {side(now)}; {reason or _remedy(before, now)}"


def _remedy(before: Side, now: Side) -> str:
    if before.block != now.block:
        return _between_blocks(before, now)
    if before.thread // WARP != now.thread // WARP:
        return "no barrier between threads of different warps: put __syncthreads() between"
    if before.instruction is now.instruction and before.verb == "written":
        return "lanes of one warp at once: let one of them do it, or use an atomic operation"
    return "no __syncwarp() between lanes of one warp (shuffles and votes order no memory)"


def _between_blocks(before: Side, now: Side) -> str:
    if before.instruction is now.instruction and before.verb == "written":
        return "blocks run in any order: let one of them do it, or use an atomic operation"
    what = (
        "between blocks only a release that the other one has observed orders: __threadfence() before the write "
        "that announces it and __threadfence() after the read that sees it (or release and acquire of "
        "cuda::atomic_ref), or a second launch"
    )
    if is_strong(before.instruction) or is_strong(now.instruction):
        return f"volatile and relaxed accesses order nothing; {what}"
    return what
