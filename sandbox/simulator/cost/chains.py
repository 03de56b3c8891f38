"""The way of the warp that goes farthest, in each block and in all of them.

A block is there until its last warp ends, so warps that exit at once, or do little, do not make it shorter.
"""

from __future__ import annotations

import math

import numpy as np

from sandbox.device import Array
from sandbox.simulator.cost.pipes import cost_of
from sandbox.simulator.decode.code import BasicBlock

_LOAD = 100.0
"""Clocks that a load is worth where two ways are compared: between those of L1 and DRAM, with others in flight."""
_LOADS = frozenset({"ld", "ldu", "atom"})


class WarpPaths:
    """How often each warp of a batch entered each basic block.

    Args:
        warps: Of a block.
        blocks: Of the batch.
    """

    def __init__(self, warps: int, blocks: int) -> None:
        self.shape = (warps, blocks)
        self.all_times: dict[int, int] = {}
        self.times: dict[int, Array] = {}
        self.code: dict[int, BasicBlock] = {}

    def all_went(self, block: BasicBlock) -> None:
        """Every warp enters a basic block."""
        self.code[id(block)] = block
        self.all_times[id(block)] = self.all_times.get(id(block), 0) + 1

    def went(self, block: BasicBlock, warps: Array) -> None:
        """Those warps enter it; bool, shape (warps, blocks) or (warps, 1)."""
        times = self.times.get(id(block))
        if times is None:
            self.code[id(block)] = block
            times = self.times[id(block)] = np.zeros(self.shape, dtype=np.int32)
        times += warps


class Chains:
    """The longest ways, over the sampled blocks.

    Attributes:
        steps: How often the longest warp of each sampled block entered each basic block, by its `id`; of all
            blocks together.
        longest: The same of the longest warp of all.
        serial: The same of the longest warps of each batch, which ran in lock step; of all batches together.
        blocks: How many there are.
        in_turn: The part of the launch in which blocks wait for each other in turn.
    """

    def __init__(self) -> None:
        self.serial: dict[int, float] = {}
        self.blocks = 0
        self.in_turn = 0.0
        self.steps: dict[int, float] = {}
        self.longest: dict[int, float] = {}
        self._clocks = -1.0

    def share_out(self) -> None:
        """Blocks share the work as they are free: none has more of it than the others, nor have those to come."""
        self.longest, self._clocks = {}, math.inf

    def add(self, paths: WarpPaths, count: int = 1) -> None:
        """Add the blocks of a batch that has ended, as if there were so many of it."""
        weights = {key: _clocks_of(block) for key, block in paths.code.items()}
        common = sum(weights[key] * times for key, times in paths.all_times.items())
        clocks = np.full(paths.shape, common)
        for key, times in paths.times.items():
            clocks += weights[key] * times
        blocks = np.arange(paths.shape[1])
        farthest = clocks.argmax(axis=0)
        last = int(clocks[farthest, blocks].argmax())
        ways = {key: times[farthest, blocks] for key, times in paths.times.items()}
        way = {key: float(times) for key, times in paths.all_times.items()}
        self.blocks += count * len(blocks)
        for key, times in way.items():
            self.steps[key] = self.steps.get(key, 0.0) + count * times * len(blocks)
        for key, each in ways.items():
            self.steps[key] = self.steps.get(key, 0.0) + count * float(each.sum())
            way[key] = way.get(key, 0.0) + float(each[last])
        for key, times in way.items():
            self.serial[key] = self.serial.get(key, 0.0) + count * times
        if clocks[farthest[last], last] > self._clocks:
            self._clocks = float(clocks[farthest[last], last])
            self.longest = way


def _clocks_of(block: BasicBlock) -> float:
    """About how long a warp takes over a basic block."""
    return sum(
        max(1.0, cost_of(one).weight)
        + (_LOAD if one.opcode in _LOADS and "param" not in one.modifiers else 0.0)
        for one in block.instructions
    )
