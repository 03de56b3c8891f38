"""Asynchronous copies from global to shared memory (PTX ISA 9.0, section 9.7.9.25.3)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.bulk import bulk
from sandbox.simulator.instructions.catalogue import Modifiers, Slots, refuse, step
from sandbox.simulator.instructions.loads import MemoryOperand, memory_operand
from sandbox.simulator.instructions.mbarrier import arrive_after_copies
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.copies import Copy
from sandbox.simulator.machine.spaces import checked_global, checked_shared, land_copies, load_global
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.ptx.syntax import Immediate, Instruction, Operand, Register
from sandbox.simulator.ptx.types import TYPES, U8, U32

_SIZES = {"ca": (4, 8, 16), "cg": (16,)}


@step(
    "cp",
    "9.7.9.25.3, 9.7.9.25.4",
    "cp.async in all forms; cp.async.bulk between global and the block's own shared memory, without tensor maps (a "
    "missing fence.proxy.async is noticed where a copy reads what threads wrote into shared memory)",
)
def copy(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Copy, close a group, or wait for groups."""
    if "async" not in m or "reduce" in m:
        raise refuse(i.mnemonic)
    if "bulk" in m:
        return bulk(i, m, slots)
    if "commit_group" in m:
        return _commit
    if "wait_all" in m:
        return _wait_all
    if "wait_group" in m:
        count = i.operands[0]
        assert isinstance(count, Immediate)
        return _waiting(int(count.value))
    if "mbarrier" in m:
        return arrive_after_copies(i, m, slots)
    return _copying(i, m, slots)


def _copying(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """`cp.async.ca.shared.global [to], [from], size{, src-size | ignore-src}{, policy}` (9.7.9.25.3.1)."""
    target, source, count, *rest = i.operands
    assert isinstance(count, Immediate)
    size = int(count.value)
    if size not in _SIZES[m.parts[1]]:
        raise refuse(i.mnemonic)
    to, origin = memory_operand(i, target, size, slots), memory_operand(i, source, size, slots)
    if any(part.endswith("cache_hint") for part in m.parts):
        rest = rest[:-1]
    wanted = _wanted(rest[0], size, slots) if rest else None

    def run(machine: Machine) -> None:
        amount = np.full((1, 1, 1), size) if wanted is None else wanted(machine)
        store = to.access(machine, "copy", machine.windows.shared_start, machine.mask)
        store = checked_shared(machine, store, machine.shared.size, "shared memory")
        words, offsets = _read(machine, origin, amount, size)
        copies = machine.copies
        for observer in machine.observers:
            observer.shared_copy(machine, store, copies.clock)
        lanes = np.broadcast_to(machine.active, machine.shape)
        copies.under_way.append(Copy(store, offsets, amount, words, copies.groups.committed, lanes))

    return run


def _wanted(operand: Operand, size: int, slots: Slots) -> Callable[[Machine], Array]:
    """Bytes to read: a src-size operand, or nothing where an ignore-src predicate is true."""
    if isinstance(operand, Register) and slots.width(operand) == 1:
        predicate = slots.source(operand, TYPES["pred"])
        return lambda machine: np.where(machine.registers[predicate], 0, size)
    amount = slots.source(operand, TYPES["u32"])
    return lambda machine: np.minimum(machine.registers[amount].view(U32).astype(np.int64), size)


def _read(machine: Machine, origin: MemoryOperand, amount: Array, size: int) -> tuple[list[Array], Array]:
    """The words to copy, zeros where the source is shorter; and where in global memory they lie."""
    whole = machine.active & (amount == size)
    words = [np.zeros((1, 1, 1), dtype=U32)] * (size // 4)
    offsets = np.zeros((1, 1, 1), dtype=np.int64)
    if whole.any():
        everyone = machine.mask is None and bool(whole.all())
        access = origin.access(machine, "load", machine.windows.buffers, None if everyone else whole)
        words = load_global(machine, access, U32, size // 4)
        if not everyone:
            words = [np.where(whole, word, U32.type(0)) for word in words]
        offsets = checked_global(machine, access).offsets
    for byte in range(size):
        some = machine.active & (amount > byte) & (amount < size)
        if some.any():
            access = origin.access(machine, "load", machine.windows.buffers, some)
            access = MemoryAccess(access.instruction, access.offsets + byte, 1, "load", some)
            value = load_global(machine, access, U8, 1)[0].astype(U32) << U32.type(8 * (byte % 4))
            words[byte // 4] = words[byte // 4] | np.where(some, value, U32.type(0))
            offsets = np.where(some, checked_global(machine, access).offsets - byte, offsets)
    return words, offsets


def _commit(machine: Machine) -> None:
    """`cp.async.commit_group` (9.7.9.25.3.2)."""
    copies = machine.copies
    copies.groups.commit(machine.active, copies.tick(machine.active))


def _wait_all(machine: Machine) -> None:
    """`cp.async.wait_all` (9.7.9.25.3.3): all copies, those of no group yet included."""
    done = machine.copies.tick(machine.active)
    land_copies(machine, None)
    for observer in machine.observers:
        observer.copies_done(machine, machine.mask, done)


def _waiting(recent: int) -> Step:
    """`cp.async.wait_group N` (9.7.9.25.3.3): all groups but the last N."""

    def run(machine: Machine) -> None:
        groups = machine.copies.groups
        before = groups.committed - recent
        land_copies(machine, before)
        for observer in machine.observers:
            observer.copies_done(machine, machine.mask, groups.end_of(before - 1))

    return run
