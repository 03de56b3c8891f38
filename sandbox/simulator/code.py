"""A kernel decoded: basic blocks of executable steps, made once from its syntax."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.device import Array
from sandbox.simulator.machine import Step
from sandbox.simulator.ptx.syntax import Function, Instruction

BLOCK_BARRIERS = frozenset({"bar", "barrier"})
WARP_SYNCS = frozenset({"shfl", "vote", "match", "redux", "elect"})
ENDS = frozenset({"bra", "brx", "call", "ret", "exit", "trap"})


def is_block_barrier(instruction: Instruction) -> bool:
    """`bar.sync`, `bar.red`, `barrier.sync`: a barrier of the block; `bar.warp.sync` is none."""
    return instruction.opcode in BLOCK_BARRIERS and "warp" not in instruction.modifiers


def is_warp_sync(instruction: Instruction) -> bool:
    """An instruction that the lanes of its member mask execute together."""
    if instruction.opcode in BLOCK_BARRIERS:
        return "warp" in instruction.modifiers
    return instruction.opcode in WARP_SYNCS and "sync" in instruction.modifiers


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
        steps: What to run; a block barrier at the start is the scheduler's, not a step.
        barrier: The block barrier that the block starts with.
        warp_sync: The warp-wide instruction that the block starts with, and the slot of its member mask.
    """

    index: int
    steps: tuple[Step, ...]
    jump: Jump
    instructions: tuple[Instruction, ...]
    barrier: Instruction | None = None
    warp_sync: tuple[Instruction, int] | None = None


@dataclass(frozen=True)
class Code:
    """An executable kernel.

    Attributes:
        initial: First value of every slot; special registers and launch-time symbols are filled in later.
        specials: Special register name to slot.
        symbols: Slots whose value is an address: slot to (symbol, offset).
        temporaries: Slots that only one block uses.
        granularity: Bytes of the narrowest shared-memory access, at most 4.
        shared: Offset of every static shared variable; `shared_bytes` their total.
    """

    function: Function
    blocks: tuple[BasicBlock, ...]
    initial: tuple[Array, ...]
    specials: dict[str, int]
    symbols: dict[int, tuple[str, int]]
    temporaries: frozenset[int]
    shared: dict[str, int] = field(default_factory=dict[str, int])
    shared_bytes: int = 0
    local: dict[str, int] = field(default_factory=dict[str, int])
    local_bytes: int = 0
    granularity: int = 4
