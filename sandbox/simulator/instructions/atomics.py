"""Atomic operations and reductions (PTX ISA 9.0, sections 9.7.13.5 and 9.7.13.6)."""

# Formulas are lambdas of one to four arrays behind one `Callable[..., Array]`: their parameters carry no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Modifiers, Slots, refuse, step
from sandbox.simulator.instructions.half import BFLOAT, HALF, join, split
from sandbox.simulator.instructions.loads import MemoryOperand, elements, memory_operand, space_of, windows
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.lanes import EVERYONE
from sandbox.simulator.machine.spaces import checked_global, checked_shared
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.ptx.syntax import Instruction, Operand, Register, Vector
from sandbox.simulator.ptx.types import U32, U64, Dtype, PtxType

Combine = Callable[..., Array]


@dataclass(frozen=True)
class Operation:
    """How old and new combine.

    Attributes:
        unordered: The ufunc to use where nobody sees the old value.
        conditional: Whether it only writes where the old value equals the first operand.
    """

    combine: Combine
    unordered: np.ufunc | None = None
    conditional: bool = False


def _add_sixteen(kind: PtxType) -> Combine:
    form = BFLOAT if kind.name.startswith("bf16") else HALF

    def one(a: Array, b: Array) -> Array:
        return form.narrow(form.widen(a) + form.widen(b))

    if kind.bits == 16:
        return one
    return lambda old, new: join(*(one(split(old, high), split(new, high)) for high in (False, True)))


def _operation(m: Modifiers) -> Operation:
    kind = m.type
    name = next((part for part in m.parts if part in _OPERATIONS), "")
    if name == "add" and kind.name in {"f16", "f16x2", "bf16", "bf16x2"}:
        form = PtxType(kind.name, "b", kind.bits, np.dtype(f"uint{kind.bits}"))
        return Operation(_add_sixteen(form))
    if not name or (kind.name.endswith("x2") or kind.name == "bf16"):
        raise refuse("atom." + ".".join(m.parts))
    return _OPERATIONS[name]


_SUCCESSES = 64
"""At one address in one step, beyond which lanes are taken one after another."""

SWAP = Operation(lambda old, compare, new: np.where(old == compare, new, old), conditional=True)

_OPERATIONS: dict[str, Operation] = {
    "add": Operation(np.add, np.add),
    "min": Operation(np.minimum, np.minimum),
    "max": Operation(np.maximum, np.maximum),
    "and": Operation(np.bitwise_and, np.bitwise_and),
    "or": Operation(np.bitwise_or, np.bitwise_or),
    "xor": Operation(np.bitwise_xor, np.bitwise_xor),
    "exch": Operation(lambda old, new: new),
    "cas": SWAP,
    "inc": Operation(lambda old, limit: np.where(old >= limit, U32.type(0), old + U32.type(1))),
    "dec": Operation(lambda old, limit: np.where((old == 0) | (old > limit), limit, old - U32.type(1))),
}


@step("atom", "9.7.13.5", "every scope, order and type but .b128; vectors element by element")
def atom(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Read, combine, write; the destination gets the old value."""
    target, address, *values = i.operands
    return _elementwise(i, m, slots, target, address, values)


@step("red", "9.7.13.6")
def red(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Read, combine, write; nobody sees the old value."""
    address, *values = i.operands
    return _elementwise(i, m, slots, None, address, values)


def _elementwise(
    i: Instruction,
    m: Modifiers,
    slots: Slots,
    target: Operand | None,
    address: Operand,
    values: list[Operand],
) -> Step:
    """A vector is atomic element by element; its alignment is checked with the first one."""
    if "v8" in m or "b128" in m or (target is not None and not isinstance(target, (Register, Vector))):
        raise refuse(i.mnemonic)
    targets = elements(target) if target is not None else ()
    if not isinstance(values[0], Vector):
        return _atomic(i, m, slots, _wanted(targets, 0, slots), (address, 0, m.type.bytes), values)
    count = len(values[0].elements)
    steps = [
        _atomic(
            i,
            m,
            slots,
            _wanted(targets, k, slots),
            (address, k * m.type.bytes, m.type.bytes * (1 if k else count)),
            [part for value in values if (part := elements(value)[k]) is not None],
        )
        for k in range(count)
    ]

    def run(machine: Machine) -> None:
        for one in steps:
            one(machine)

    return run


def _wanted(targets: tuple[Operand | None, ...], k: int, slots: Slots) -> int | None:
    """Where the old value of element k goes; None where nothing reads it."""
    target = targets[k] if targets else None
    if not isinstance(target, Register) or target.name == "_" or not slots.is_read(target):
        return None
    return slots.target(target)


def _atomic(
    i: Instruction,
    m: Modifiers,
    slots: Slots,
    destination: int | None,
    place: tuple[Operand, int, int],
    values: list[Operand],
) -> Step:
    """One element, at (address, displacement, bytes that are checked)."""
    kind = m.type
    operation = _operation(m)
    operand = memory_operand(i, place[0], place[2], slots)
    operand = replace(operand, displacement=operand.displacement + place[1])
    sources = [slots.source(value, kind) for value in values]
    space = space_of(m)
    dtype = np.dtype(f"uint{kind.bits}") if kind.name == "f16" else kind.dtype

    def run(machine: Machine) -> None:
        operands = [machine.registers[s].view(dtype) for s in sources]
        for name, access in _accesses(machine, operand, space):
            old = apply(machine, name, access, operands, operation, destination is not None)
            if destination is not None and old is not None:
                merge, force = machine.merge, machine.force
                if access.mask is not machine.mask:
                    machine.merge, machine.force = access.mask, True
                machine.write(destination, old)
                machine.merge, machine.force = merge, force

    return run


def _accesses(machine: Machine, operand: MemoryOperand, space: str) -> list[tuple[str, MemoryAccess]]:
    if space in {"global", "shared"}:
        return [(space, operand.access(machine, "atomic", machine.windows.start(space), machine.mask))]
    return [
        (name, operand.access(machine, "atomic", base, mask))
        for name, base, mask in windows(machine, operand)
    ]


def apply(
    machine: Machine,
    space: str,
    access: MemoryAccess,
    operands: list[Array],
    operation: Operation,
    wanted: bool,
) -> Array | None:
    """Apply an atomic in every active lane, one lane after another; the old values where `wanted`.

    Runs in an order of their own take the threads in an order of their own too: nothing may depend on it.
    """
    if space == "global":
        access = checked_global(machine, access)
        for observer in machine.observers:
            observer.global_access(machine, access)
    else:
        access = checked_shared(machine, access, machine.shared.size, "shared memory")
        for observer in machine.observers:
            observer.shared_access(machine, access)
    memory, index = _flat_memory(machine, space, access, operands[0].dtype)
    lanes = machine.in_turn(EVERYONE if access.mask is None else access.mask)
    where, *values = (np.broadcast_to(value, machine.shape)[lanes] for value in (index, *operands))
    before = memory[where]
    if not wanted and operation.unordered is not None:
        operation.unordered.at(memory, where, values[0])
        old = None
    else:
        previous = one_by_one(memory, where, values, operation)
        old = np.zeros(machine.shape, dtype=memory.dtype)
        old[lanes] = previous
    machine.changes += int((memory[where] != before).any())
    if space == "shared" and memory.dtype.itemsize != 4:
        _write_back(machine, memory)
    wrote = old == operands[0] if operation.conditional and old is not None else None
    for observer in machine.observers:
        tell = observer.global_atomic if space == "global" else observer.shared_atomic
        tell(machine, access, wrote)
    return old


def _flat_memory(machine: Machine, space: str, access: MemoryAccess, dtype: Dtype) -> tuple[Array, Array]:
    """A flat array of the memory as `dtype` and every lane's index into it."""
    size = dtype.itemsize
    if space == "global":
        return machine.arena.view(size).view(dtype), access.offsets >> (size.bit_length() - 1)
    shared, blocks = machine.shared, machine.blocks
    block = shared.block_index if access.owner is None else access.owner
    if size == 4:
        return shared.words.reshape(-1).view(dtype), (access.offsets >> 2) * blocks + block
    if size == 8:
        pairs = shared.words.reshape(-1, 2, blocks)
        wide = pairs[:, 0, :].astype(U64) | pairs[:, 1, :].astype(U64) << np.uint64(32)
        return wide.reshape(-1).view(dtype), (access.offsets >> 3) * blocks + block
    halves = shared.halves.reshape(-1).view(dtype)
    return halves, ((access.offsets >> 2) * blocks + block) * 2 + (access.offsets >> 1 & 1)


def _write_back(machine: Machine, memory: Array) -> None:
    """64-bit shared atomics worked on a copy: the halves of a word pair lie in different rows."""
    if memory.dtype.itemsize == 8:
        wide = memory.view(U64).reshape(-1, machine.blocks)
        pairs = machine.shared.words.reshape(-1, 2, machine.blocks)
        pairs[:, 0, :] = wide.astype(U32)
        pairs[:, 1, :] = (wide >> np.uint64(32)).astype(U32)


def one_by_one(memory: Array, index: Array, values: list[Array], operation: Operation) -> Array:
    """Apply lane after lane and return what each found; lanes on different addresses go together."""
    order = np.argsort(index, kind="stable")
    ordered = index[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    lengths = np.diff(np.append(starts, len(ordered)))
    if operation.unordered is np.add and memory.dtype.kind in "ui":
        return _prefix_sums(memory, ordered, order, values[0], (starts, lengths))
    previous = np.empty(len(index), dtype=memory.dtype)
    if operation.conditional:
        order, starts, lengths = _swaps(memory, index, values, order, previous)
    turn = 0
    while starts.size:
        lanes = order[starts + turn]
        where = index[lanes]
        old = memory[where]
        previous[lanes] = old
        memory[where] = operation.combine(old, *(value[lanes] for value in values))
        turn += 1
        more = lengths > turn
        starts, lengths = starts[more], lengths[more]
    return previous


def _swaps(
    memory: Array, index: Array, values: list[Array], order: Array, previous: Array
) -> tuple[Array, Array, Array]:
    """Compare-and-swap by successes, as of the lanes that fail in between each finds the same.

    Args:
        memory: Is written to.
        index: Of every lane, in memory.
        values: What to compare with, and what to write.
        order: Lanes, those on one address together and in their turn.
        previous: Is given what the lanes that are done found.

    Returns:
        The lanes that are left after `_SUCCESSES` at one address, in order, and where each address starts among
        them and how many they are.
    """
    compare, new = values
    for _ in range(_SUCCESSES):
        where = index[order]
        found = memory[where]
        previous[order] = found
        hits = np.flatnonzero(found == compare[order])
        if not hits.size:
            order = order[:0]
            break
        first = hits[np.concatenate([[True], where[hits[1:]] != where[hits[:-1]]])]
        memory[where[first]] = new[order[first]]
        # A lane is left if a lane before it, on the same address, succeeded.
        succeeded = np.searchsorted(first, np.arange(len(order)), side="left") - 1
        after = (succeeded >= 0) & (where[first[np.maximum(succeeded, 0)]] == where)
        order = order[after]
    where = index[order]
    starts = np.flatnonzero(np.concatenate([[True], where[1:] != where[:-1]])) if order.size else order
    return order, starts, np.diff(np.append(starts, len(order)))


def _prefix_sums(
    memory: Array, ordered: Array, order: Array, value: Array, segments: tuple[Array, Array]
) -> Array:
    """Integer addition is associative: the old values are prefix sums within each address."""
    starts, lengths = segments
    added = value[order]
    running = np.cumsum(added, dtype=memory.dtype)
    before = running - added
    base = np.repeat(before[starts], lengths)
    previous = np.empty(len(order), dtype=memory.dtype)
    previous[order] = memory[ordered] + (before - base)
    np.add.at(memory, ordered, added)
    return previous
