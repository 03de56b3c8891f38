"""Arithmetic that PTX repeats in every turn of a loop, and NVIDIA's assembler does once before it.

Addresses of inline assembly are the common case: nvdisasm shows no integer arithmetic left in a loop of ldmatrix and
mma whose PTX computes, masks and converts an address for each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sandbox.simulator.cost.pipes import ALU, FMA, NONE, cost_of
from sandbox.simulator.decode.code import BasicBlock
from sandbox.simulator.ptx.syntax import Instruction

_STAY = frozenset({"vote", "match", "activemask", "elect", "redux"})


def hoisted(blocks: Iterable[BasicBlock]) -> frozenset[int]:
    """Return the `id` of each instruction that leaves a loop.

    Args:
        blocks: Of one function, those that ran.
    """
    ordered = sorted(blocks, key=lambda block: block.index)
    found: set[int] = set()
    for first, last in _loops(ordered):
        inside = [one for block in ordered if first <= block.index <= last for one in block.instructions]
        found |= _invariant(inside)
    return frozenset(found)


def _loops(blocks: Sequence[BasicBlock]) -> list[tuple[int, int]]:
    return [
        (target, block.index)
        for block in blocks
        if block.jump.kind == "branch"
        for target in block.jump.targets[:1]
        if target <= block.index
    ]


def _invariant(instructions: Sequence[Instruction]) -> set[int]:
    """Arithmetic whose operands no turn changes, directly or by other such arithmetic."""
    written: dict[str, int] = {}
    for one in instructions:
        for name in one.written:
            written[name] = written.get(name, 0) + 1
    found: set[int] = set()
    for one in instructions:
        sources, targets = one.read, one.written
        pure = one.guard is None and one.opcode not in _STAY and cost_of(one).pipe in {ALU, FMA, NONE}
        if (
            pure
            and targets
            and not any(map(written.get, sources))
            and all(written[name] == 1 for name in targets)
        ):
            found.add(id(one))
            for name in targets:
                written[name] = 0
    return found
