"""How long one warp takes through a kernel on its own: in-order issue, waiting for operands.

A load does not stall; the first instruction that needs its value does. That is what makes independent loads
overlap, and what unrolling, prefetching and register blocking buy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sandbox.simulator.cost.constants import USED, CostConstants
from sandbox.simulator.cost.counting import BlockCount, Counter, Site
from sandbox.simulator.cost.issue_order import Latency, issue, stays
from sandbox.simulator.cost.traffic import LaunchShape, Traffic
from sandbox.simulator.decode.code import BasicBlock
from sandbox.simulator.gpus.architectures import Architecture
from sandbox.simulator.ptx.syntax import AddressOperand, Instruction, Register

_Ready = dict[str, float]

_HANDED_OVER = 2
"""Latencies of L2 from a block to the one that waits for it, beside the load that sees it: the data and the flag."""


@dataclass(frozen=True)
class Warp:
    """One warp of a launch, on its own.

    Attributes:
        counter: After the sample ran.
        shape: Of the launch.
        architecture: Its latencies.
        moved: Which share of the loads goes on to DRAM.
        constants: What a barrier costs, and which loops are unrolled.
    """

    counter: Counter
    shape: LaunchShape
    architecture: Architecture
    moved: Traffic
    constants: CostConstants

    def clocks(self, load: float) -> float:
        """Clocks of the longest warp of a block, times the rounds of resident blocks; the last one is the longest.

        Blocks that wait in turn take as long as all their batches, one after another.

        Args:
            load: By how much DRAM answers later than when it is idle, in its idle latencies.
        """

        def latency(instruction: Instruction) -> float:
            return _memory_latency(instruction, self.counter, self.architecture, self.moved, load)

        taken: dict[int, float] = {}
        functions: dict[str, list[BlockCount]] = {}
        for count in self.counter.blocks.values():
            functions.setdefault(count.function, []).append(count)
        chains = self.counter.chains
        least = self.constants.unrolled * chains.blocks
        often = frozenset(key for key, times in chains.steps.items() if times >= least)
        for counts in functions.values():
            taken |= warp_clocks([count.block for count in counts], latency, often, self.constants)
        mean = sum(taken[key] * times for key, times in chains.steps.items()) / chains.blocks
        longest = sum(taken[key] * times for key, times in chains.longest.items())
        waves = math.ceil(self.shape.waves(self.architecture.multiprocessors))
        at_once = (waves - 1) * mean + max(mean, longest)
        if not chains.in_turn:
            return at_once
        in_turn = sum(taken[key] * times for key, times in chains.serial.items()) / chains.blocks
        handed_over = in_turn + _HANDED_OVER * self.architecture.l2_latency
        return max(at_once, chains.in_turn * handed_over * self.shape.blocks)


def warp_clocks(
    blocks: Iterable[BasicBlock],
    latency: Latency,
    often: frozenset[int] = frozenset(),
    constants: CostConstants = USED,
) -> dict[int, float]:
    """Clocks that one execution of each basic block takes, by `id` of the block.

    What is still on its way at the end of a block is waited for where it is used: in the next block of the
    layout, or, for a loop, in its next turn. Of a loop the steady turn counts.

    Args:
        blocks: Of one function, those that ran.
        latency: Of memory instructions.
        often: The `id` of blocks that ran often enough to be unrolled.
        constants: What a barrier costs, and which loops are unrolled.
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
            unrolls = turns.get(block.index) == block.index and id(block) in often
            copies = constants.unrolled if unrolls else 1
            body = _unrolled(block.instructions, copies, constants.short_loop)
            taken, ready = issue(body, ready, latency, constants.barrier_clocks)
            clocks[id(block)] = taken / copies
            ends[block.index] = ready
    return clocks


def _unrolled(instructions: Sequence[Instruction], copies: int, short: int) -> list[Instruction]:
    """A short loop without barriers, several turns of it, and one jump; a loop that is not so as it is."""
    body = list(instructions)
    if copies == 1 or len(body) > short or any(stays(one) for one in body[:-1]):
        return body * copies
    return body[:-1] * copies + body[-1:]


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


def _memory_latency(
    instruction: Instruction, counter: Counter, architecture: Architecture, moved: Traffic, load: float
) -> float:
    """Clocks until a loaded value arrives: a mean over the levels that served it."""
    if instruction.opcode == "nanosleep":
        return counter.sleeps.get(id(instruction), (0, 0.0))[1] * architecture.clock_mhz / 1e3
    spaces = ("global", "shared", "const")
    found = (counter.sites.get((id(instruction), space)) for space in spaces)
    site = next((one for one in found if one is not None), None)
    if instruction.opcode in {"atom", "red"}:
        in_shared = site is not None and site.space == "shared"
        return 2 * architecture.shared_latency if in_shared else architecture.l2_latency
    if instruction.opcode not in {"ld", "ldu", "ldmatrix", "wmma", "cp"} or "param" in instruction.modifiers:
        return 0.0
    if site is None:
        local = "local" in instruction.modifiers
        return _below_l1(architecture, moved.local.missed, moved.local.dram_share, load) if local else 0.0
    if site.space == "const":
        return _constant_latency(instruction, site, architecture)
    if site.space == "shared":
        return architecture.shared_latency
    missed = min(1.0, site.misses / site.sectors) if site.sectors else 0.0
    return _below_l1(architecture, missed, moved.dram_share.get(site.buffer, 0.0), load)


def _below_l1(architecture: Architecture, missed: float, dram_share: float, load: float) -> float:
    """Clocks of a load that misses L1 in this share, and L2 in that share of those."""
    beyond = architecture.dram_latency * (1 + load) - architecture.l2_latency
    below = architecture.l2_latency + dram_share * beyond
    return architecture.l1_latency + missed * (below - architecture.l1_latency)


def _constant_latency(instruction: Instruction, site: Site, architecture: Architecture) -> float:
    """A fixed address is an operand of the instruction that uses it; others are looked up, one after another."""
    address = instruction.operands[1]
    if isinstance(address, AddressOperand) and isinstance(address.base, Register):
        return architecture.l1_latency + max(0, site.wavefronts - site.requests) / max(site.requests, 1)
    return 0.0
