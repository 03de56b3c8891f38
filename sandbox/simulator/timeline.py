"""How long one warp takes through a basic block on its own: in-order issue, waiting for operands."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.simulator.code import BasicBlock
from sandbox.simulator.pipes import cost_of
from sandbox.simulator.ptx.syntax import Address, Instruction, Negated, Operand, Pair, Register, Vector

_BARRIER = 30


@dataclass(frozen=True)
class Latencies:
    """Clocks until a loaded value can be used."""

    global_load: float
    shared_load: float
    atomic: float


def block_clocks(block: BasicBlock, latencies: Latencies) -> float:
    """Clocks from the first issue of a basic block to the issue of its last instruction.

    A load does not stall; the first instruction that needs its value does. That is what makes independent loads
    overlap, and what unrolling and register blocking buy.
    """
    ready: dict[str, float] = {}
    now = 0.0
    for instruction in block.instructions:
        cost = cost_of(instruction)
        sources, targets = _uses(instruction)
        start = max([now, *(ready.get(name, 0.0) for name in sources)])
        now = start + cost.weight
        if instruction.opcode in {"bar", "barrier"}:
            now += _BARRIER
        done = start + max(cost.latency, _memory_latency(instruction, latencies), cost.weight)
        for name in targets:
            ready[name] = done
    return now


def _memory_latency(instruction: Instruction, latencies: Latencies) -> float:
    if instruction.opcode == "atom":
        return latencies.atomic
    if instruction.opcode not in {"ld", "ldu"} or "param" in instruction.modifiers:
        return 0.0
    if any(part.startswith("shared") for part in instruction.modifiers):
        return latencies.shared_load
    return latencies.global_load


def _names(operand: Operand | None) -> list[str]:
    if isinstance(operand, Register):
        return [operand.name]
    if isinstance(operand, Negated):
        return [operand.register.name]
    if isinstance(operand, Address):
        return _names(operand.base)
    if isinstance(operand, Vector):
        return [name for element in operand.elements for name in _names(element)]
    if isinstance(operand, Pair):
        return [*_names(operand.first), *_names(operand.second)]
    return []


def _uses(instruction: Instruction) -> tuple[list[str], list[str]]:
    operands = instruction.operands
    guard = [instruction.guard.register.name] if instruction.guard else []
    if instruction.opcode in {"st", "red", "bra", "ret", "exit", "bar", "barrier"} or not operands:
        return [*guard, *(name for operand in operands for name in _names(operand))], []
    return [*guard, *(name for operand in operands[1:] for name in _names(operand))], _names(operands[0])
