"""Local memory: what threads keep there, and how much of it their caches cannot hold.

It is laid out so that the lanes of a warp are neighbours, and it is cached like global memory (CUDA C++ Programming
Guide, "Device Memory Accesses"). What the threads that are resident at once keep beyond L1 moves through L2, and
beyond L2 through DRAM; threads that come later use the same places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.simulator.cost.coalescing import SECTOR
from sandbox.simulator.cost.counting import BlockCount, Counter
from sandbox.simulator.ptx.syntax import Instruction, Vector
from sandbox.simulator.ptx.types import TYPES


@dataclass(frozen=True)
class LocalTraffic:
    """Bytes that the sampled blocks move beyond L1, and the shares of what misses.

    Attributes:
        read, written: Beyond L1, bytes.
        missed: The share of accesses that L1 does not hold.
        dram_share: The share of those that L2 does not hold either.
    """

    read: float = 0.0
    written: float = 0.0
    missed: float = 0.0
    dram_share: float = 0.0


NO_LOCAL = LocalTraffic()
"""Of a launch that keeps nothing in local memory."""


def local_traffic(counter: Counter, frame: int, threads: int, sampled: int, resident: float) -> LocalTraffic:
    """What local memory moves below L1.

    Args:
        counter: After the sample ran.
        frame: Bytes of a thread's stack.
        threads: Of a block.
        sampled: Blocks that were counted.
        resident: Bytes of L2 for each thread that the device holds at once.
    """
    moved = {opcode: 0.0 for opcode in ("ld", "st")}
    for count, instruction in _accesses(counter):
        moved[instruction.opcode] += count.lanes * _size(instruction)
    kept = min(float(frame), moved["st"] / (sampled * threads))
    if not kept:
        return NO_LOCAL
    missed = max(0.0, 1 - counter.l1_sectors * SECTOR / (kept * threads))
    return LocalTraffic(moved["ld"] * missed, moved["st"] * missed, missed, max(0.0, 1 - resident / kept))


def local_requests(counter: Counter, *opcodes: str) -> float:
    """Warp-level accesses of the sample to local memory, by opcode, all where none is named."""
    return sum(count.warps for count, one in _accesses(counter) if not opcodes or one.opcode in opcodes)


def _accesses(counter: Counter) -> Iterator[tuple[BlockCount, Instruction]]:
    for count in counter.blocks.values():
        for instruction in count.block.instructions:
            if "local" in instruction.modifiers and instruction.opcode in {"ld", "st"}:
                yield count, instruction


def _size(instruction: Instruction) -> int:
    """Bytes that a lane moves."""
    vectors = [len(one.elements) for one in instruction.operands if isinstance(one, Vector)]
    kind = TYPES.get(instruction.modifiers[-1])
    return (kind.bytes if kind is not None else 4) * max(vectors, default=1)
