"""Which loads a loop waits on: `while (flag == 0);`."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.simulator.decode.code import BasicBlock
from sandbox.simulator.ptx.registers import register_names


def waiting_loads(blocks: tuple[BasicBlock, ...]) -> frozenset[int]:
    """Identities of the loads of a kernel whose value decides, in their own basic block, whether a loop goes on."""
    return frozenset(
        found for block in blocks if block.polls and _in_loop(blocks, block) for found in _deciding(block)
    )


def _deciding(block: BasicBlock) -> Iterator[int]:
    last = block.instructions[-1] if block.instructions else None
    if last is None or last.opcode != "bra" or last.guard is None:
        return
    wanted = {last.guard.register.name}
    for instruction in reversed(block.instructions[:-1]):
        operands = instruction.operands
        stores = instruction.opcode in {"st", "red"} or not operands
        written: set[str] = set() if stores else set(register_names(operands[0]))
        if not written & wanted:
            continue
        if instruction.opcode == "ld":
            yield id(instruction)
        wanted |= {name for operand in operands[1:] for name in register_names(operand)}


def _in_loop(blocks: tuple[BasicBlock, ...], block: BasicBlock) -> bool:
    seen: set[int] = set()
    queue = list(_next(block))
    while queue:
        index = queue.pop()
        if index == block.index:
            return True
        if index not in seen and index < len(blocks):
            seen.add(index)
            queue += _next(blocks[index])
    return False


def _next(block: BasicBlock) -> tuple[int, ...]:
    return (
        ()
        if block.jump.kind in {"return", "exit", "trap"} and block.jump.guard is None
        else block.jump.targets
    )
