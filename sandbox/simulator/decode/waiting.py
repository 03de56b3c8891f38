"""What kernels do with what they load: whether a loop waits for it, or an atomic operation checks it again.

Registers are followed without regard to paths: what may come of a load counts as coming of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from sandbox.simulator.decode.code import BasicBlock
from sandbox.simulator.decode.loops import back_edges, natural_loops
from sandbox.simulator.hazards.strength import LoadUses
from sandbox.simulator.ptx.registers import register_names
from sandbox.simulator.ptx.syntax import AddressOperand, Immediate, Instruction, Operand, Register, Symbol

_STRONG = frozenset({"volatile", "relaxed", "acquire", "mmio"})
_COPIES = frozenset({"mov", "cvta"})


@dataclass(frozen=True)
class _Use:
    """An instruction that uses what was loaded, and the basic block it stands in."""

    instruction: Instruction
    block: BasicBlock


def load_uses(blocks: tuple[BasicBlock, ...]) -> LoadUses:
    """Follow every load of a function that may meet what other threads do."""
    flow = _Flow(blocks)
    awaited = flow.awaited()
    flags: set[int] = set()
    tries: set[int] = set()
    looks: set[int] = set()
    unread: set[int] = set()
    tickets = False
    for block in blocks:
        for instruction in block.instructions:
            if instruction.opcode == "atom":
                if id(instruction) in awaited:
                    tries.add(id(instruction))
                if not flow.is_read(instruction):
                    unread.add(id(instruction))
                elif id(instruction) not in awaited:
                    tickets = True
            if instruction.opcode != "ld" or {"param", "local", "const", "nc"} & set(instruction.modifiers):
                continue
            if _STRONG & set(instruction.modifiers):
                if id(instruction) in awaited:
                    flags.add(id(instruction))
            elif flow.has_atomic(instruction) and flow.is_checked(instruction, block):
                looks.add(id(instruction))
    return LoadUses(
        frozenset(flags), frozenset(tries), frozenset(looks), frozenset(unread), tickets, flow.steers
    )


class _Flow:
    """Where registers and control go in one function."""

    def __init__(self, blocks: tuple[BasicBlock, ...]) -> None:
        self._blocks = blocks
        every = [instruction for block in blocks for instruction in block.instructions]
        self._targets = {id(one): one.written for one in every}
        self._sources = {id(one): frozenset(one.read) for one in every}

    @cached_property
    def _readers(self) -> dict[str, list[_Use]]:
        found: dict[str, list[_Use]] = {}
        for block in self._blocks:
            for instruction in block.instructions:
                for name in self._sources[id(instruction)]:
                    found.setdefault(name, []).append(_Use(instruction, block))
        return found

    @cached_property
    def _definitions(self) -> dict[str, list[Instruction]]:
        found: dict[str, list[Instruction]] = {}
        for block in self._blocks:
            for instruction in block.instructions:
                for name in self._targets[id(instruction)]:
                    found.setdefault(name, []).append(instruction)
        return found

    @cached_property
    def _atomics(self) -> dict[tuple[str, int], list[_Use]]:
        """Atomic operations by the location that they name."""
        found: dict[tuple[str, int], list[_Use]] = {}
        for block in self._blocks:
            for instruction in block.instructions:
                place = self._place(instruction)
                if instruction.opcode in {"atom", "red"} and place is not None:
                    found.setdefault(place, []).append(_Use(instruction, block))
        return found

    def is_read(self, instruction: Instruction) -> bool:
        """Whether anything reads what an instruction returns."""
        return any(name in self._readers for name in self._targets[id(instruction)])

    def steers(self, load: Instruction) -> bool:
        """Whether an address, a branch or a comparison depends on what is loaded.

        Of shared memory only a comparison for equality with a constant counts, which looks for a mark: merges and
        sorts (CUB's among them) compare places beyond their tiles before they know that these do not matter.
        """
        if id(load) not in self._targets or not load.opcode.startswith("ld"):
            return False  # of another function, whose registers may have the same names
        names = set(self._targets[id(load)])
        for use in self._uses(load):
            instruction = use.instruction
            if not names.intersection(self._sources[id(instruction)]):
                continue  # it depends on a comparison alone
            guarded = instruction.guard is not None and instruction.guard.register.name in names
            if instruction.opcode in {"brx", "call"} or (guarded and instruction.opcode != "bra"):
                return True
            if instruction.opcode in {"setp", "set"} and ("global" in load.modifiers or _seeks(instruction)):
                return True
            if any(
                set(register_names(o)) & names for o in instruction.operands if isinstance(o, AddressOperand)
            ):
                return True
            if instruction.opcode not in {"atom", "ld", "setp", "set"}:
                names |= set(self._targets[id(instruction)])
        return False

    def has_atomic(self, load: Instruction) -> bool:
        """Whether the function has an atomic operation on the location of a load."""
        return self._place(load) in self._atomics

    def awaited(self) -> set[int]:
        """Strong reads that loops wait for, and those of the same location before such a loop."""
        reads = [
            (instruction, block)
            for block in self._blocks
            for instruction in block.instructions
            if instruction.opcode == "atom"
            or (instruction.opcode == "ld" and _STRONG & set(instruction.modifiers))
        ]
        found = {id(instruction) for instruction, block in reads if self._is_awaited(instruction, block)}
        places = {self._place(instruction) for instruction, _ in reads if id(instruction) in found} - {None}
        peeled = {
            id(instruction)
            for instruction, _ in reads
            if self._place(instruction) in places
            and any(use.instruction.opcode == "bra" for use in self._uses(instruction))
        }
        return found | peeled

    def _is_awaited(self, load: Instruction, block: BasicBlock) -> bool:
        """Whether a loop around a load goes on or ends by its value, whatever loops are around that one."""
        around = [loop for loop in (*self._loops, *self._idle) if block.index in loop]
        return bool(around) and any(
            use.block.index in loop and not loop.issuperset(_successors(use.block))
            for use in self._uses(load)
            if use.instruction.opcode == "bra"
            for loop in around
        )

    def is_checked(self, load: Instruction, block: BasicBlock) -> bool:
        """Whether the value is only compared before atomic operations on its location, which find out if it is stale.

        Either such an operation is the compare-and-swap that compares it, or it is done or not by the value.
        """
        place = self._place(load)
        atomics = self._atomics[place] if place is not None else []
        same = {id(use.instruction) for use in atomics}
        swapped, branches = False, list[BasicBlock]()
        for use in self._uses(load):
            instruction = use.instruction
            if instruction.opcode == "bra":
                branches.append(use.block)
            elif id(instruction) in same:
                swapped |= "cas" in instruction.modifiers or instruction.guard is not None
            elif instruction.opcode in {"st", "atom", "red", "call", "ret", "brx"} or not instruction.written:
                return False
        return swapped or any(
            self._decides(branch, use.block, block) for branch in branches for use in atomics
        )

    def _decides(self, branch: BasicBlock, atomic: BasicBlock, load: BasicBlock) -> bool:
        """Whether it depends on a branch if control comes to an atomic operation, with no barrier between."""
        ways = [self._comes(n, atomic.index, load.index) for n in _successors(branch)]
        return any(ways) and not all(ways)

    def _comes(self, start: int, goal: int, load: int) -> bool:
        seen: set[int] = set()
        queue = [start]
        while queue:
            index = queue.pop()
            if index == goal:
                return True
            if index in seen or index == load or index >= len(self._blocks):
                continue
            seen.add(index)
            if self._blocks[index].barrier is None:
                queue += _successors(self._blocks[index])
        return False

    def _uses(self, load: Instruction) -> Iterator[_Use]:
        """Instructions that use what was loaded, or what was computed from it."""
        seen: set[int] = {id(load)}
        names = set(self._targets[id(load)])
        queue = list(names)
        while queue:
            for use in self._readers.get(queue.pop(), ()):
                if id(use.instruction) in seen:
                    continue
                seen.add(id(use.instruction))
                yield use
                # An atomic operation returns what it finds, whatever it was given.
                fresh = use.instruction.opcode in {"atom", "ld"}
                new = set[str]() if fresh else set(self._targets[id(use.instruction)]) - names
                names |= new
                queue += new

    def _place(self, instruction: Instruction) -> tuple[str, int] | None:
        """The address of a memory access: what its base was copied from, and the displacement."""
        address = next((o for o in instruction.operands if isinstance(o, AddressOperand)), None)
        if address is None:
            return None
        base, offset = address.base, address.offset
        while True:
            if isinstance(base, Symbol):
                return base.name, offset + base.offset
            definitions = self._definitions.get(base.name, []) if isinstance(base, Register) else []
            if not isinstance(base, Register):
                return None
            if len(definitions) != 1 or definitions[0].opcode not in _COPIES:
                return base.name, offset
            source: Operand | None = definitions[0].operands[1]
            if not isinstance(source, (Register, Symbol)):
                return base.name, offset
            base = source

    @cached_property
    def _graph(self) -> list[list[int]]:
        within = range(len(self._blocks))
        return [[n for n in _successors(block) if n in within] for block in self._blocks]

    @cached_property
    def _loops(self) -> tuple[frozenset[int], ...]:
        return natural_loops(self._graph)

    @cached_property
    def _idle(self) -> tuple[frozenset[int], ...]:
        """Loops of one back edge that do nothing but look: a wait at the head of a loop is one of its own."""
        return tuple(loop for _, loop in back_edges(self._graph) if self._does_nothing(loop))

    def _does_nothing(self, loop: frozenset[int]) -> bool:
        """Whether a loop leaves memory as it is, and no register to its next turn."""
        body = [one for index in sorted(loop) for one in self._blocks[index].instructions]
        written: set[str] = set()
        everything = {name for one in body for name in self._targets[id(one)]}
        for one in body:
            if one.opcode in {"st", "atom", "red", "call"} or (
                self._sources[id(one)] & (everything - written)
            ):
                return False
            written |= set(self._targets[id(one)])
        return True


def _seeks(comparison: Instruction) -> bool:
    """Whether a comparison asks if something is a given number."""
    constant = any(isinstance(operand, Immediate) for operand in comparison.operands)
    return constant and bool({"eq", "ne"} & set(comparison.modifiers))


def _successors(block: BasicBlock) -> tuple[int, ...]:
    jump = block.jump
    if jump.guard is None and jump.kind in {"return", "exit", "trap"}:
        return ()
    if jump.guard is None and jump.kind == "branch":
        return jump.targets[:1]
    return jump.targets
