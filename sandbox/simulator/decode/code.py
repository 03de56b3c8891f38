"""A kernel decoded: basic blocks of executable steps, made once from its syntax."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.device import Array
from sandbox.simulator.hazards.strength import LoadUses
from sandbox.simulator.machine.state import Step
from sandbox.simulator.ptx.syntax import Function, Instruction

CONTROL = {
    "bra": ("9.7.12.3", "Branch, uniform or divergent; every lane's path is followed"),
    "brx": ("9.7.12.4", "Branch through a table of targets"),
    "call": (
        "9.7.12.5",
        "Call a function of the module, by name or pointer, recursion included, or a built-in",
    ),
    "ret": ("9.7.12.6", "Return"),
    "exit": ("9.7.12.7", "End the thread"),
    "trap": ("9.7.19.4", "End the launch as a fault"),
}
"""What ends a basic block; PTX ISA 9.0 sections and what docs/ptx.md says."""
ENDS = frozenset(CONTROL)


@dataclass(frozen=True)
class Barrier:
    """A barrier at which threads wait (PTX ISA 9.0, sections 9.7.13.1 and 9.7.13.3).

    Attributes:
        scope: "block" or "cluster".
        number: Slot of the barrier's number, 0 to 15.
        threads: Slot of how many threads take part; None for all of the block.
        together: All threads must come to this very instruction: `__syncthreads()`.
        reduction: "popc", "and" or "or" of `predicate` into `target`; empty for none.
        guard: Slot of the guarding predicate; None where unconditional.
    """

    instruction: Instruction
    scope: str
    number: int
    threads: int | None
    together: bool
    reduction: str = ""
    target: int = 0
    predicate: int = 0
    inverted: bool = False
    guard: int | None = None
    guard_negated: bool = False


@dataclass(frozen=True)
class Call:
    """A call: whom, and which parameter-space names carry arguments and results.

    Attributes:
        target: A function's name, or None where `pointer` is the slot of its address.
    """

    target: str | None
    pointer: int | None
    arguments: tuple[str, ...]
    results: tuple[str, ...]


@dataclass(frozen=True)
class Jump:
    """How a basic block ends.

    Attributes:
        kind: "fall", "branch", "table", "call", "return", "exit" or "trap".
        targets: Block indices: the one to branch to, or a branch table's.
        guard: Slot of the predicate (or of the table's index), None where unconditional.
    """

    kind: str
    targets: tuple[int, ...] = ()
    guard: int | None = None
    negated: bool = False
    instruction: Instruction | None = None
    call: Call | None = None


@dataclass(frozen=True)
class BasicBlock:
    """Straight-line code.

    Attributes:
        steps: What to run.
        barrier: The barrier that is the block's only instruction; the scheduler's, not a step.
        warp_sync: The warp-wide instruction that the block starts with, and the slot of its member mask.
        polls: Whether the block reads what another thread may be about to change.
        acts: Whether the block does what other threads may see, or reads a clock; atomic operations tell themselves.
    """

    index: int
    steps: tuple[Step, ...]
    jump: Jump
    instructions: tuple[Instruction, ...]
    barrier: Barrier | None = None
    warp_sync: tuple[Instruction, int] | None = None
    polls: bool = False
    acts: bool = False


SHARED_GAP = 128
"""Bytes between shared variables that belong to none, so that an overrun shows; once around the banks."""


@dataclass(frozen=True)
class Code:
    """An executable kernel.

    Attributes:
        initial: First value of every slot; special registers and launch-time symbols are filled in later.
        specials: Special register name to slot.
        symbols: Slots whose value is an address: slot to (symbol, offset).
        temporaries: Slots that only one block uses.
        granularity: Bytes of the narrowest shared-memory access, at most 4.
        proxies: Whether bulk copies read shared memory.
        ordered: Whether threads synchronise other than by barriers of the whole block, or copy asynchronously.
        uses: What it does with what it loads.
        takes: Whether threads get values from atomic operations on global memory: tickets, places in a queue.
        shared: Offset of every shared variable, `SHARED_GAP` more than it is on a device for each one before it;
            `shared_bytes` the total on a device, of static ones.
        shared_sizes: Bytes of every shared variable; 0 for dynamic shared memory.
    """

    function: Function
    blocks: tuple[BasicBlock, ...]
    initial: tuple[Array, ...]
    specials: dict[str, int]
    symbols: dict[int, tuple[str, int]]
    temporaries: frozenset[int]
    shared: dict[str, int] = field(default_factory=dict[str, int])
    shared_bytes: int = 0
    shared_sizes: dict[str, int] = field(default_factory=dict[str, int])
    local: dict[str, int] = field(default_factory=dict[str, int])
    local_bytes: int = 0
    granularity: int = 4
    ordered: bool = False
    proxies: bool = False
    uses: LoadUses = field(default_factory=LoadUses)
    takes: bool = False

    @property
    def shared_gaps(self) -> int:
        """Bytes of the gaps between shared variables."""
        return SHARED_GAP * len([size for size in self.shared_sizes.values() if size])
