"""Basic blocks as the assembler issues them: short guarded ones are predicated, and code without a choice is one.

`if (i < n) v = x[i];` is a branch over a load in PTX. NVIDIA's assembler gives the load a predicate instead, so that
several of them in a row are on their way together (nvdisasm of a guarded copy: 20 loads, all predicated).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.simulator.cost.issue_order import stays
from sandbox.simulator.decode.code import BasicBlock, Jump
from sandbox.simulator.ptx.syntax import Instruction

PREDICATED = 12
"""PTX instructions of a block that is predicated rather than jumped over; assumed."""


@dataclass(frozen=True)
class Stretch:
    """Instructions that issue as one block.

    Attributes:
        head: The first of its blocks: it runs as often as that one.
        last: Index of the last of them.
        jump: How it ends.
    """

    head: BasicBlock
    last: int
    jump: Jump
    instructions: tuple[Instruction, ...]


def joined(blocks: Iterable[BasicBlock]) -> list[Stretch]:
    """Join the blocks of one function.

    Args:
        blocks: Those that ran.
    """
    by_index = {block.index: block for block in blocks}
    before = _predecessors(by_index.values())
    taken: set[int] = set()
    found: list[Stretch] = []
    for index in sorted(by_index):
        if index not in taken:
            members = _members(index, by_index, before)
            taken.update(block.index for block, _ in members)
            found.append(_stretch(members))
    return found


def _members(
    index: int, by_index: dict[int, BasicBlock], before: dict[int, set[int]]
) -> list[tuple[BasicBlock, bool]]:
    """The blocks that join the one of this index, and whether each is inside, so that its branch is gone."""
    block = by_index[index]
    members = [(block, False)]
    while True:
        skipped = by_index.get(block.index + 1)
        after = block.jump.targets[0] if block.jump.kind == "branch" else block.index + 1
        if block.jump.kind == "branch":
            if skipped is None or after != block.index + 2 or block.jump.guard is None:
                return members
            if before[skipped.index] != {block.index} or not _short(skipped, after):
                return members
            members[-1] = (block, True)
            members.append((skipped, True))
            sources = {block.index, skipped.index}
        elif block.jump.kind == "fall":
            sources = {block.index}
        else:
            return members
        following = by_index.get(after)
        if following is None or before[after] != sources:
            return members
        members.append((following, False))
        block = following


def _short(block: BasicBlock, after: int) -> bool:
    falls = block.jump.kind == "fall" or (
        block.jump.kind == "branch" and block.jump.guard is None and block.jump.targets[:1] == (after,)
    )
    inner = block.instructions if block.jump.kind == "fall" else block.instructions[:-1]
    return falls and len(inner) <= PREDICATED and not any(stays(one) for one in inner)


def _stretch(members: list[tuple[BasicBlock, bool]]) -> Stretch:
    instructions: list[Instruction] = []
    for block, inside in members:
        branches = inside and block.jump.kind == "branch"
        instructions += block.instructions[:-1] if branches else block.instructions
    last = members[-1][0]
    jump = Jump("fall") if members[-1][1] else last.jump
    return Stretch(members[0][0], last.index, jump, tuple(instructions))


def _predecessors(blocks: Iterable[BasicBlock]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for block in blocks:
        jump = block.jump
        following = list(jump.targets) if jump.kind in {"branch", "table"} else []
        if jump.kind in {"fall", "call"} or (jump.kind == "branch" and jump.guard is not None):
            following.append(block.index + 1)
        for index in following:
            found.setdefault(index, set()).add(block.index)
        found.setdefault(block.index, set())
    return found
