"""How long one warp takes through a kernel on its own: in-order issue, waiting for operands.

A load does not stall; the first instruction that needs its value does. That is what makes independent loads
overlap, and what unrolling, prefetching and register blocking buy.
"""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.simulator.code import BasicBlock
from sandbox.simulator.issue_order import Latency, issue

_Ready = dict[str, float]


def warp_clocks(blocks: Iterable[BasicBlock], latency: Latency) -> dict[int, float]:
    """Clocks that one execution of each basic block takes, by `id` of the block.

    What is still on its way at the end of a block is waited for where it is used: in the next block of the
    layout, or, for a loop, in its next turn. Of a loop the steady turn counts.

    Args:
        blocks: Of one function, those that ran.
        latency: Of memory instructions.
    """
    ordered = sorted(blocks, key=lambda block: block.index)
    turns = _back_edges(ordered)
    ends: dict[int, _Ready] = {}
    clocks: dict[int, float] = {}
    for steady in (False, True):
        ready: _Ready = {}
        for block in ordered:
            if steady and block.index in turns:
                ready = ends[turns[block.index]]
            clocks[id(block)], ready = issue(block.instructions, ready, latency)
            ends[block.index] = ready
    return clocks


def _back_edges(blocks: list[BasicBlock]) -> dict[int, int]:
    """The head of each loop and the block that jumps back to it."""
    present = {block.index for block in blocks}
    return {
        target: block.index
        for block in blocks
        if block.jump.kind == "branch"
        for target in block.jump.targets[:1]
        if target <= block.index and target in present
    }
