"""What the warps of a launch issue, by execution pipe: PTX weighted by what the assembler makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.simulator.cost.counting import Counter
from sandbox.simulator.cost.hoisting import hoisted
from sandbox.simulator.cost.pipes import CONTROL, LSU, NONE, cost_of
from sandbox.simulator.decode.code import BasicBlock


@dataclass(frozen=True)
class InstructionMix:
    """Of the sampled blocks.

    Attributes:
        by_pipe: Warp instructions, weighted.
        thread_instructions: The same, all pipes together, times their active lanes.
    """

    by_pipe: Mapping[str, float]
    thread_instructions: float

    @property
    def issued(self) -> float:
        """Warp instructions of all pipes."""
        return sum(self.by_pipe.values())


def instruction_mix(counter: Counter) -> InstructionMix:
    """Weigh what was counted; arithmetic that leaves its loop counts nothing."""
    work: dict[str, float] = {}
    lanes = 0.0
    gone = _hoisted(counter)
    for count in counter.blocks.values():
        for instruction in count.block.instructions:
            if id(instruction) in gone:
                continue
            cost = cost_of(instruction)
            work[cost.pipe] = work.get(cost.pipe, 0.0) + cost.weight * count.warps
            lanes += cost.weight * count.lanes
    work[LSU] = work.get(LSU, 0.0) - sum(site.absorbed for site in counter.sites.values())
    work.pop(NONE, None)
    work.setdefault(CONTROL, 0.0)
    return InstructionMix(work, lanes)


def _hoisted(counter: Counter) -> frozenset[int]:
    """The `id` of each instruction that leaves its loop."""
    functions: dict[str, list[BasicBlock]] = {}
    for count in counter.blocks.values():
        functions.setdefault(count.function, []).append(count.block)
    return frozenset(one for blocks in functions.values() for one in hoisted(blocks))
