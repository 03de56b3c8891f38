"""Shared-memory loads of neighbouring words that NVIDIA's assembler makes one wide load of.

PTX that reads `tile[8 * x + i]` for several `i` has a scalar load for each; machine code has one load of 8 or 16
bytes wherever the base is aligned (nvdisasm of NVRTC 13.0's output: 256 scalar loads of a product's inner loop became
64 of 16 bytes). Loads merge that have the same base in the same register value, nothing that may write shared memory
between them, and together all words of an aligned unit. Pairs of words that a loop of one block steps over merge with
those of its next turn, for the assembler unrolls it (36 loads of two turns became 8 and 16 of 16 bytes in eight).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from sandbox.simulator.decode.code import BasicBlock
from sandbox.simulator.ptx.syntax import AddressOperand, Immediate, Instruction, Register

_SCALARS = {"b32": 4, "f32": 4, "u32": 4, "s32": 4, "b64": 8, "f64": 8, "u64": 8, "s64": 8}
_UNITS = (16, 8)
_PAIR = 8
_FENCES = frozenset(
    {"st", "atom", "red", "bar", "barrier", "cp", "stmatrix", "membar", "fence", "call", "mbarrier"}
)
_Key = tuple[str, int, int]


@dataclass(frozen=True)
class Merged:
    """What became of a scalar load: it is part of a wide one, which the load of its first word stands for.

    Attributes:
        unit: Bytes of the wide load.
        offset: Bytes from the base, which must be aligned for it; None where the base moves on by a part of the unit.
    """

    unit: int
    offset: int | None


def merged_loads(block: BasicBlock) -> dict[int, Merged]:
    """Return what becomes of the scalar loads of a basic block, by `id`; those that stay are absent."""
    found: dict[int, Merged] = {}
    versions: dict[str, int] = {}
    open_loads: dict[_Key, dict[int, Instruction]] = {}
    steps = _steps(block)
    for instruction in block.instructions:
        if instruction.opcode in _FENCES:
            _close(open_loads, steps, found)
        place = _place(instruction)
        if place is not None:
            base, offset, size = place
            open_loads.setdefault((base, versions.get(base, 0), size), {}).setdefault(offset, instruction)
        for name in instruction.written:
            versions[name] = versions.get(name, 0) + 1
    _close(open_loads, steps, found)
    return found


def _steps(block: BasicBlock) -> dict[str, int]:
    """By how many bytes registers move on in each turn of a loop of one block."""
    found: dict[str, int] = {}
    if block.jump.targets[:1] != (block.index,):
        return found
    adds = [
        one for one in block.instructions if one.opcode == "add" and isinstance(one.operands[0], Register)
    ]
    for one in adds:
        target, source, amount = one.operands
        if target == source and isinstance(amount, Immediate) and isinstance(amount.value, int):
            found[cast(Register, target).name] = amount.value
    for one in adds:
        target, *sources = one.operands
        names = [source.name for source in sources if isinstance(source, Register)]
        moving = [name for name in names if name in found]
        if target not in sources and len(names) == 2 and len(moving) == 1:
            found[cast(Register, target).name] = found[moving[0]]
    return found


def _place(instruction: Instruction) -> tuple[str, int, int] | None:
    """Base, byte offset and size of a plain scalar load from shared memory."""
    modifiers = instruction.modifiers
    if instruction.opcode != "ld" or len(modifiers) != 2 or modifiers[0] != "shared" or instruction.guard:
        return None
    size, address = _SCALARS.get(modifiers[1]), instruction.operands[1]
    if size is None or not isinstance(address, AddressOperand) or isinstance(address.base, Immediate):
        return None
    if isinstance(address.base, Register):
        return address.base.name, address.offset, size
    return address.base.name, address.base.offset + address.offset, size


def _close(
    open_loads: dict[_Key, dict[int, Instruction]], steps: dict[str, int], found: dict[int, Merged]
) -> None:
    for (base, _, size), loads in open_loads.items():
        left = dict(loads)
        for unit in _UNITS:
            for start in sorted({offset // unit * unit for offset in left}):
                words = range(start, start + unit, size)
                if unit > size and all(word in left for word in words):
                    goes_on = unit == _PAIR and steps.get(base) == _PAIR
                    for word in words:
                        found[id(left.pop(word))] = Merged(2 * unit, None) if goes_on else Merged(unit, word)
    open_loads.clear()
