"""In which order the assembler issues the instructions of a basic block, and when.

PTX comes in the order of the source; the assembler moves loads up, so that their latencies overlap, as far as
registers, memory and barriers allow. A list schedule stands for it: of the instructions whose operands are
there, the one issues that starts the longest chain. It knows no register pressure.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sandbox.simulator.cost.constants import USED
from sandbox.simulator.cost.pipes import cost_of
from sandbox.simulator.ptx.syntax import Immediate, Instruction

Latency = Callable[[Instruction], float]
"""Clocks until what a memory instruction returns can be used, or a sleep ends; 0 for other instructions."""

_STAY = frozenset(
    {
        "bar",
        "barrier",
        "membar",
        "fence",
        "mbarrier",
        "nanosleep",
        "call",
        "trap",
        "bra",
        "brx",
        "ret",
        "exit",
    }
)
_WRITES = frozenset({"st", "red", "atom", "cp", "stmatrix"})
_READS = frozenset({"ld", "ldu", "ldmatrix"})
_GROUPS = frozenset({"commit_group", "wait_group", "wait_all"})
_GROUP = "cp.async group "
"""Stands for a register: group 0 is open, group 1 the last that was closed."""
_SPACES = ("shared", "local", "global")


@dataclass
class _Node:
    """One instruction: what it takes, whom it waits for, and who waits for it."""

    weight: float
    latency: float
    targets: list[str]
    earliest: float
    awaited: int = 0
    height: float = 0.0
    data: list[int] = field(default_factory=list[int])
    order: list[int] = field(default_factory=list[int])


def issue(
    instructions: Sequence[Instruction],
    ready: dict[str, float],
    latency: Latency,
    barrier_clocks: float = USED.barrier_clocks,
) -> tuple[float, dict[str, float]]:
    """Issue the instructions of a basic block for one warp that has the multiprocessor to itself.

    Args:
        instructions: In PTX order.
        ready: Clocks after the start of the block at which registers arrive; absent ones are there.
        latency: Of memory instructions.
        barrier_clocks: From the last warp's arrival at a barrier until warps issue again.

    Returns:
        Clocks to the issue of the last instruction, and when values still on their way arrive after that.
    """
    ready, now = dict(ready), 0.0
    segment: list[Instruction] = []
    for instruction in instructions:
        segment.append(instruction)
        if stays(instruction):
            now = _issue_segment(segment, ready, latency, now)
            now += barrier_clocks if instruction.opcode in {"bar", "barrier"} else 0.0
            now = _group(instruction, ready, now)
            now += latency(instruction) if instruction.opcode == "nanosleep" else 0.0
            segment = []
    now = _issue_segment(segment, ready, latency, now)
    return now, {name: done - now for name, done in ready.items() if done > now}


def _group(instruction: Instruction, ready: dict[str, float], now: float) -> float:
    """Close a group of asynchronous copies, or wait for groups; clocks after that."""
    if instruction.opcode != "cp":
        return now
    groups = {int(name.removeprefix(_GROUP)): name for name in ready if name.startswith(_GROUP)}
    if "commit_group" in instruction.modifiers:
        for number in sorted(groups, reverse=True):
            ready[f"{_GROUP}{number + 1}"] = ready.pop(groups[number])
        return now
    number = instruction.operands[0] if instruction.operands else None
    kept = int(number.value) if isinstance(number, Immediate) else -1
    return max([now, *(ready.pop(name) for group, name in groups.items() if group > kept)])


def stays(instruction: Instruction) -> bool:
    """Whether nothing moves over it: barriers, fences, jumps, `cp.async.wait_group` and its kin."""
    groups = instruction.opcode == "cp" and bool(_GROUPS & set(instruction.modifiers))
    return groups or instruction.opcode in _STAY


def _issue_segment(
    segment: Sequence[Instruction], ready: dict[str, float], latency: Latency, now: float
) -> float:
    """Issue what may change places; the last instruction stays the last if it is one that stays."""
    nodes = _linked(segment, ready, latency)
    for node in reversed(nodes):
        after = [nodes[one].height for one in node.data]
        node.height = node.latency + max(after, default=0.0)
        node.height = max([node.height, *(node.weight + nodes[one].height for one in node.order)])
    free = [(node.earliest, index) for index, node in enumerate(nodes) if not node.awaited]
    heapq.heapify(free)
    startable: list[tuple[float, int]] = []
    while free or startable:
        if not startable:
            now = max(now, free[0][0])
        while free and free[0][0] <= now:
            index = heapq.heappop(free)[1]
            heapq.heappush(startable, (-nodes[index].height, index))
        index = heapq.heappop(startable)[1]
        node = nodes[index]
        done, now = now + node.latency, now + node.weight
        for name in node.targets:
            ready[name] = done
        for one, start in [*((one, done) for one in node.data), *((one, 0.0) for one in node.order)]:
            follower = nodes[one]
            follower.earliest = max(follower.earliest, start)
            follower.awaited -= 1
            if not follower.awaited:
                heapq.heappush(free, (follower.earliest, one))
    return now


def _linked(segment: Sequence[Instruction], ready: dict[str, float], latency: Latency) -> list[_Node]:
    """Nodes with their edges: values, and memory that may be the same; a register written again is another."""
    nodes: list[_Node] = []
    writer: dict[str, int] = {}
    memory = _Memory()
    for index, instruction in enumerate(segment):
        cost = cost_of(instruction)
        sources, targets = instruction.read, list(instruction.written)
        if instruction.opcode == "cp" and "async" in instruction.modifiers and not stays(instruction):
            targets = [f"{_GROUP}0"]
        clocks = max(cost.latency, latency(instruction), cost.weight)
        earliest = max((ready.get(name, 0.0) for name in sources if name not in writer), default=0.0)
        nodes.append(_Node(cost.weight, clocks, targets, earliest))
        values = {writer[name] for name in sources if name in writer}
        earlier = memory.before(index, instruction)
        if index == len(segment) - 1 and instruction.opcode in _STAY:
            earlier = set(range(index))
        _link(nodes, index, values, earlier - values - {index})
        for name in targets:
            if name in writer:
                nodes[writer[name]].targets.remove(name)
            writer[name] = index
    return nodes


def _link(nodes: list[_Node], index: int, values: set[int], earlier: set[int]) -> None:
    for one in values:
        nodes[one].data.append(index)
    for one in earlier:
        nodes[one].order.append(index)
    nodes[index].awaited = len(values) + len(earlier)


class _Memory:
    """Which earlier accesses an access must stay behind: writes keep their order, reads that of writes."""

    def __init__(self) -> None:
        self._write: dict[str, int] = {}
        self._reads: dict[str, list[int]] = {}

    def before(self, index: int, instruction: Instruction) -> set[int]:
        """Those before this instruction; notes it."""
        found: set[int] = set()
        for space, writes in _touched(instruction):
            if space in self._write:
                found.add(self._write[space])
            if writes:
                found.update(self._reads.pop(space, ()))
                self._write[space] = index
            else:
                self._reads.setdefault(space, []).append(index)
        return found


def _touched(instruction: Instruction) -> list[tuple[str, bool]]:
    """State spaces, and whether it writes there; a generic address may be in each of them."""
    modifiers = {*instruction.modifiers}
    if instruction.opcode not in _WRITES | _READS or modifiers & {"param", "const", "nc"}:
        return []
    if instruction.opcode == "cp":
        return [("shared", True), ("global", False)]
    writes = instruction.opcode in _WRITES
    return [(space, writes) for space in _SPACES if space in modifiers or not modifiers & {*_SPACES}]
