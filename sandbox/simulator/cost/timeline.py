"""How long one warp takes through a kernel on its own: in-order issue, waiting for operands.

A load does not stall; the first instruction that needs its value does. That is what makes independent loads
overlap, and what unrolling, prefetching and register blocking buy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from sandbox.simulator.cost.constants import USED, CostConstants
from sandbox.simulator.cost.counting import Counter, Site
from sandbox.simulator.cost.hoisting import hoisted
from sandbox.simulator.cost.issue_order import IssueOrder, Latency, stays
from sandbox.simulator.cost.joining import Stretch, joined
from sandbox.simulator.cost.traffic import LaunchShape, Traffic
from sandbox.simulator.decode.code import BasicBlock
from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.ptx.syntax import AddressOperand, Instruction, Register

_Ready = dict[str, float]

_HANDED_OVER = 2
"""Latencies of L2 from a block to the one that waits for it, beside the load that sees it: the data and the flag."""


@dataclass(frozen=True)
class Chain:
    """A warp from start to end.

    Attributes:
        clocks: What it takes, barriers apart.
        barriers: How many it comes to.
    """

    clocks: float
    barriers: float


@dataclass(frozen=True)
class LongestWarps:
    """How long blocks last: as long as the longest of their warps.

    Attributes:
        mean: Of the longest warp of a block, over the blocks.
        longest: The longest warp of all; nothing where blocks share the work as they are free.
        in_turn: What a block adds to all that wait for it, the handing over included.
        turns: Blocks that wait for each other in turn.
    """

    mean: Chain
    longest: Chain
    in_turn: Chain
    turns: float


class Timeline:
    """A launch's code as its warps go through it, whatever its loads take.

    Args:
        counter: After the sample ran.
        shape: Of the launch.
        constants: Which loops are unrolled.
    """

    def __init__(self, counter: Counter, shape: LaunchShape, constants: CostConstants = USED) -> None:
        self._counter, self._blocks = counter, shape.blocks
        self._often = {key: counter.chains.steps.get(key, 0.0) / shape.sampled for key in counter.blocks}
        functions: dict[str, list[BasicBlock]] = {}
        for count in counter.blocks.values():
            functions.setdefault(count.function, []).append(count.block)
        self._functions = [_Function(blocks, self._often, constants) for blocks in functions.values()]

    def longest_warps(self, architecture: Architecture, moved: Traffic) -> LongestWarps:
        """Follow the longest warps, each with the multiprocessor to itself.

        Args:
            architecture: Its latencies.
            moved: Which share of the loads goes on to DRAM.
        """
        counter = self._counter

        def latency(instruction: Instruction) -> float:
            return _memory_latency(instruction, counter, architecture, moved)

        taken: dict[int, float] = {}
        for function in self._functions:
            taken |= function.clocks(latency)
        waiting = {key for key, count in counter.blocks.items() if count.block.barrier is not None}
        serial = {key: times / counter.chains.blocks for key, times in counter.chains.serial.items()}
        alone = _along(serial, taken, waiting)
        return LongestWarps(
            _along(self._often, taken, waiting),
            _along(counter.chains.longest, taken, waiting),
            Chain(alone.clocks + _HANDED_OVER * architecture.l2_latency, alone.barriers),
            counter.chains.in_turn * self._blocks,
        )


def _along(often: Mapping[int, float], taken: Mapping[int, float], waiting: Set[int]) -> Chain:
    """What a warp takes that enters each basic block so often; `waiting` are those with a barrier."""
    clocks = sum(taken.get(key, 0.0) * times for key, times in often.items())
    return Chain(clocks, sum(times for key, times in often.items() if key in waiting))


class _Function:
    """The stretches of code of one function.

    Args:
        blocks: Those that ran.
        often: How often each block ran, by `id`.
        constants: Which loops are unrolled.
    """

    def __init__(
        self, blocks: Sequence[BasicBlock], often: Mapping[int, float], constants: CostConstants
    ) -> None:
        stretches, gone = joined(blocks), hoisted(blocks)
        self._turns = _back_edges(stretches)
        self._stretches: list[tuple[Stretch, IssueOrder, int]] = []
        for stretch in stretches:
            loops = self._turns.get(stretch.head.index) == stretch.last
            copies = constants.unrolled if loops and often[id(stretch.head)] >= constants.unrolled else 1
            kept = [one for one in stretch.instructions if id(one) not in gone]
            order = IssueOrder(_unrolled(kept, copies, constants.short_loop))
            self._stretches.append((stretch, order, copies))

    def clocks(self, latency: Latency) -> dict[int, float]:
        """Clocks that one execution of each stretch takes, by `id` of its first block; barriers take none.

        What is still on its way at the end of a block is waited for where it is used: in the next block of the
        layout, or, for a loop, in its next turn. Of a loop the steady turn counts.

        Args:
            latency: Of memory instructions.
        """
        ends: dict[int, _Ready] = {}
        clocks: dict[int, float] = {}
        for steady in (False, True) if self._turns else (False,):
            ready: _Ready = {}
            for stretch, order, copies in self._stretches:
                index = stretch.head.index
                if steady and index in self._turns:
                    ready = ends[self._turns[index]]
                taken, ready = order.issue(ready, latency, 0.0)
                clocks[id(stretch.head)] = taken / copies
                ends[stretch.last] = ready
        return clocks


def _unrolled(instructions: Sequence[Instruction], copies: int, short: int) -> list[Instruction]:
    """A short loop without barriers, several turns of it, and one jump; a loop that is not so as it is."""
    body = list(instructions)
    if copies == 1 or len(body) > short or any(stays(one) for one in body[:-1]):
        return body * copies
    return body[:-1] * copies + body[-1:]


def _back_edges(stretches: list[Stretch]) -> dict[int, int]:
    """The head of each loop, and the last block of the stretch that jumps back to it."""
    heads = {stretch.head.index for stretch in stretches}
    return {
        target: stretch.last
        for stretch in stretches
        if stretch.jump.kind == "branch"
        for target in stretch.jump.targets[:1]
        if target <= stretch.head.index and target in heads
    }


def _memory_latency(
    instruction: Instruction, counter: Counter, architecture: Architecture, moved: Traffic
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
        return _below_l1(architecture, moved.local.missed, moved.local.dram_share) if local else 0.0
    if site.space == "const":
        return _constant_latency(instruction, site, architecture)
    if site.space == "shared":
        return architecture.shared_latency
    missed = min(1.0, site.misses / site.sectors) if site.sectors else 0.0
    return _below_l1(architecture, missed, moved.dram_share.get(site.buffer, 0.0))


def _below_l1(architecture: Architecture, missed: float, dram_share: float) -> float:
    """Clocks of a load that misses L1 in this share, and L2 in that share of those."""
    beyond = architecture.dram_latency - architecture.l2_latency
    below = architecture.l2_latency + dram_share * beyond
    return architecture.l1_latency + missed * (below - architecture.l1_latency)


def _constant_latency(instruction: Instruction, site: Site, architecture: Architecture) -> float:
    """A fixed address is an operand of the instruction that uses it; others are looked up, one after another."""
    address = instruction.operands[1]
    if isinstance(address, AddressOperand) and isinstance(address.base, Register):
        return architecture.l1_latency + max(0, site.wavefronts - site.requests) / max(site.requests, 1)
    return 0.0
