"""Bulk copies without tensor maps (PTX ISA 9.0, sections 9.7.9.25.4 and 9.7.9.25.5).

Into shared memory, they complete transactions at an mbarrier and are done when a thread finds its phase over; out of
it, they are done when the thread has waited for their group.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Modifiers, Slots, refuse
from sandbox.simulator.instructions.loads import MemoryOperand, memory_operand
from sandbox.simulator.instructions.mbarrier import mbarrier_objects
from sandbox.simulator.machine import mbarriers
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.copies import Copy
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.spaces import (
    checked_global,
    checked_shared,
    load_global,
    shared_element,
    store_global,
)
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.ptx.syntax import Immediate, Instruction
from sandbox.simulator.ptx.types import TYPES, U32
from sandbox.verdict import Verdict

_PIECE = 16
"""Bytes that sizes and addresses are multiples of."""
_COUNTED, _GROUPED = "mbarrier::complete_tx::bytes", "bulk_group"


def bulk(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Copy, close a group, or wait for groups."""
    if "commit_group" in m:
        return _commit
    if "wait_group" in m:
        count = i.operands[0]
        assert isinstance(count, Immediate)
        return _waiting(int(count.value))
    spaces = [part.partition(":")[0] for part in m.parts if part.startswith(("shared", "global"))]
    if "prefetch" in m and "tensor" not in m:
        return _nothing
    if spaces == ["shared", "global"] and _COUNTED in m and len(i.operands) - _hinted(m) == 4:
        return _to_shared(i, m, slots)
    if spaces == ["global", "shared"] and _GROUPED in m and len(i.operands) - _hinted(m) == 3:
        return _to_global(i, m, slots)
    raise refuse(i.mnemonic)


def _hinted(m: Modifiers) -> int:
    """How many operands are cache policies."""
    return sum(part.endswith("cache_hint") for part in m.parts)


def _nothing(machine: Machine) -> None:
    """A prefetch changes time, never results."""


def _to_shared(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """`cp.async.bulk.shared.global.mbarrier::complete_tx::bytes [to], [from], size, [mbarrier]`."""
    target, source, count, barrier, *_ = i.operands
    to, origin = memory_operand(i, target, _PIECE, slots), memory_operand(i, source, _PIECE, slots)
    size = slots.source(count, TYPES["u32"])
    objects = mbarrier_objects(i, m, barrier, slots)

    def run(machine: Machine) -> None:
        copies, clock = machine.copies, machine.copies.tick(machine.active)
        issued: list[Copy] = []
        for at, lanes in _pieces(machine, i, machine.registers[size]):
            store = _shared(machine, _access(machine, to, "copy", machine.windows.shared_start, lanes, at))
            load = _access(machine, origin, "load", machine.windows.buffers, lanes, at)
            words = load_global(machine, load, U32, _PIECE // 4)
            for observer in machine.observers:
                observer.shared_copy(machine, store, clock)
            where, read = checked_global(machine, load).offsets, np.full((1, 1, 1), _PIECE)
            issued.append(Copy(store, where, read, words, clock, lanes))
        for offset, lanes in objects(machine, "atomic"):
            mbarriers.read(machine, offset, lanes, i)
            those = [_of(copy, copy.lanes & lanes) for copy in issued]
            copies.counted.setdefault(offset, []).extend(copy for copy in those if copy.lanes.any())

    return run


def _of(copy: Copy, lanes: Array) -> Copy:
    return Copy(copy.store, copy.source, copy.read, copy.words, copy.group, lanes)


def _to_global(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """`cp.async.bulk.global.shared::cta.bulk_group [to], [from], size`.

    Written at once; the source counts as being read until the thread has waited.
    """
    target, source, count, *_ = i.operands
    to, origin = memory_operand(i, target, _PIECE, slots), memory_operand(i, source, _PIECE, slots)
    size = slots.source(count, TYPES["u32"])

    def run(machine: Machine) -> None:
        clock = machine.copies.clock
        for at, lanes in _pieces(machine, i, machine.registers[size]):
            load = _shared(machine, _access(machine, origin, "load", machine.windows.shared_start, lanes, at))
            for observer in machine.observers:
                observer.shared_copy(machine, load, clock)
            words = [shared_element(machine, load.offsets + k, U32, None) for k in range(0, _PIECE, 4)]
            store_global(machine, _access(machine, to, "store", machine.windows.buffers, lanes, at), words)

    return run


def _pieces(machine: Machine, i: Instruction, size: Array) -> Iterator[tuple[int, Array]]:
    """Byte offsets in the copies, and the lanes whose copy reaches so far.

    Raises:
        FaultError: The size is no multiple of 16.
    """
    amount = size.view(U32).astype(np.int64)
    active = np.broadcast_to(machine.active, machine.shape)
    wrong = active & (amount % _PIECE != 0)
    if wrong.any():
        given = int(np.broadcast_to(amount, machine.shape)[wrong][0])
        what = f"a bulk copy of {given} bytes: expected a multiple of {_PIECE}"
        raise FaultError(machine.batch.fault(Verdict.MEMORY_FAULT, what, i, wrong))
    longest = int(np.where(active, amount, 0).max())
    for at in range(0, longest, _PIECE):
        yield at, active & (amount > at)


def _access(
    machine: Machine, operand: MemoryOperand, kind: str, window: int, lanes: Array, at: int
) -> MemoryAccess:
    whole = operand.access(machine, kind, window, lanes)
    return MemoryAccess(whole.instruction, whole.offsets + at, _PIECE, kind, lanes)


def _shared(machine: Machine, access: MemoryAccess) -> MemoryAccess:
    """Checked, and in the block's own shared memory.

    Raises:
        FaultError: It is not.
    """
    access = checked_shared(machine, access, machine.shared.size, "shared memory")
    if access.owner is not None:
        assert access.mask is not None
        away = access.mask & (access.owner != machine.shared.block_index)
        if away.any():
            what = f"the simulator has no {access.instruction.mnemonic} to the shared memory of another block"
            raise FaultError(machine.batch.fault(Verdict.UNSUPPORTED, what, access.instruction, away))
    return access


def _commit(machine: Machine) -> None:
    """`cp.async.bulk.commit_group`."""
    copies = machine.copies
    copies.bulk_groups.commit(machine.active, copies.tick(machine.active))


def _waiting(recent: int) -> Step:
    """`cp.async.bulk.wait_group{.read} N`: all groups but the last N."""

    def run(machine: Machine) -> None:
        groups = machine.copies.bulk_groups
        for observer in machine.observers:
            observer.copies_done(machine, machine.mask, groups.end_of(groups.committed - recent - 1))

    return run
