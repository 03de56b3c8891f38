"""Which instructions make threads wait for each other, synchronise them, or poll."""

from __future__ import annotations

from sandbox.simulator.ptx.syntax import Instruction

BLOCK_BARRIERS = frozenset({"bar", "barrier"})
WARP_SYNCS = frozenset({"shfl", "vote", "match", "redux", "elect"})
WHOLE_WARP = frozenset({"mma", "wmma", "ldmatrix", "stmatrix", "movmatrix"})


def is_block_barrier(instruction: Instruction) -> bool:
    """`bar.sync`, `bar.red`, `barrier.cluster.wait`...: a place to wait; arriving, and warp barriers, are none."""
    if instruction.opcode not in BLOCK_BARRIERS or "warp" in instruction.modifiers:
        return False
    return "arrive" not in instruction.modifiers


def is_warp_sync(instruction: Instruction) -> bool:
    """An instruction that the lanes of its member mask, or all lanes of the warp, execute together."""
    if instruction.opcode in BLOCK_BARRIERS:
        return "warp" in instruction.modifiers
    return instruction.opcode in WARP_SYNCS | WHOLE_WARP and "sync" in instruction.modifiers


def orders_some(instruction: Instruction) -> bool:
    """Whether it orders other than by holding the whole block: what `OrderedHazards` is for."""
    parts = instruction.modifiers
    if instruction.opcode in BLOCK_BARRIERS and "warp" not in parts:
        counted = len(instruction.operands) - (2 if "red" in parts else 0) > 1
        return "arrive" in parts or "cluster" in parts or counted
    return instruction.opcode == "mbarrier" or (instruction.opcode == "cp" and "async" in parts)


def reads_by_proxy(instruction: Instruction) -> bool:
    """Whether it has the async proxy read shared memory: a bulk copy out of it."""
    return instruction.opcode == "cp" and {"async", "bulk", "bulk_group"} <= set(instruction.modifiers)


_QUIET = (
    frozenset(
        {"ld", "ldu", "mov", "atom", "nanosleep", "fence", "membar", "activemask", "cvta", "isspacep", "mapa"}
        | {"bra", "brx", "ret", "exit", "setp", "selp", "slct", "set", "prmt", "mma", "ldmatrix", "movmatrix"}
    )
    | WARP_SYNCS
)


def changes_registers_only(instruction: Instruction) -> bool:
    """Whether no other thread can see that an instruction was executed; atomic operations by what they change."""
    if instruction.opcode == "mbarrier":
        return bool({"test_wait", "try_wait"} & set(instruction.modifiers))
    if instruction.opcode in BLOCK_BARRIERS:
        return "warp" in instruction.modifiers
    return instruction.opcode in _QUIET


def is_poll(instruction: Instruction) -> bool:
    """What a thread does again and again while it waits for another: scheduling only."""
    if instruction.opcode in {"nanosleep", "atom"}:
        return True
    if instruction.opcode == "mbarrier":
        return bool({"test_wait", "try_wait"} & set(instruction.modifiers))
    return instruction.opcode == "ld" and bool(
        {"volatile", "relaxed", "acquire"} & set(instruction.modifiers)
    )
