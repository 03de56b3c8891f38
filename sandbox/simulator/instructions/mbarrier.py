"""mbarrier instructions (PTX ISA 9.0, section 9.7.13.15)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Modifiers, Slots, refuse, step
from sandbox.simulator.instructions.loads import memory_operand, windows
from sandbox.simulator.machine import mbarriers
from sandbox.simulator.machine.clusters import RANKS, REMOTE
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.spaces import checked_shared, land_copies, store_element
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.ptx.syntax import Immediate, Instruction, Operand, Register
from sandbox.simulator.ptx.types import TYPES, U32, U64
from sandbox.verdict import Verdict

_ONE = Immediate(1)
Remote = Callable[[Machine, int, Array, Array], None]
Objects = Callable[..., Iterator[tuple[int, Array]]]


@step(
    "mbarrier", "9.7.13.15", "in the block's own shared memory; arriving also at other blocks of the cluster"
)
def mbarrier(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Initialise, invalidate, arrive, expect transactions, wait, or read a state's count."""
    kind = m.parts[0]
    if kind not in _KINDS:
        raise refuse(i.mnemonic)
    return _KINDS[kind](i, m, slots)


def mbarrier_objects(i: Instruction, m: Modifiers, address: Operand, slots: Slots) -> Objects:
    """A function that checks the active lanes' addresses: each distinct byte offset, and the lanes that gave it.

    Lanes that name an mbarrier of another block of the cluster go to its argument `remote`, if there is one.
    """
    operand = memory_operand(i, address, 8, slots)
    named = any(part.startswith("shared") for part in m.parts)

    def find(machine: Machine, kind: str, remote: Remote | None = None) -> Iterator[tuple[int, Array]]:
        base = machine.windows.shared_start if named else machine.windows.shared
        if not named and {name for name, _, _ in windows(machine, operand)} != {"shared"}:
            what = "an mbarrier that is not in shared memory"
            raise FaultError(machine.batch.fault(Verdict.MEMORY_FAULT, what, i, machine.active))
        access = operand.access(machine, kind, base, machine.mask)
        access = checked_shared(machine, access, machine.shared.size, "shared memory")
        for observer in machine.observers:
            observer.shared_access(machine, access)
        active = np.broadcast_to(machine.active, machine.shape)
        if access.owner is not None:
            away = active & (access.owner != machine.shared.block_index)
            if away.any() and remote is None:
                what = f"the simulator has no {i.mnemonic} on an mbarrier of another block"
                raise FaultError(machine.batch.fault(Verdict.UNSUPPORTED, what, i, away))
            for offset in np.unique(np.broadcast_to(access.offsets, machine.shape)[away]).tolist():
                assert remote is not None
                remote(machine, offset, away & (access.offsets == offset), access.owner)
            active = active & ~away
        if access.offsets.size == 1:
            yield int(access.offsets.flat[0]), active
            return
        offsets: list[int] = np.unique(np.broadcast_to(access.offsets, machine.shape)[active]).tolist()
        for offset in offsets:
            yield offset, active & (access.offsets == offset)

    return find


def _blocks(lanes: Array) -> Array:
    """The blocks that lanes are of, shape (B,)."""
    return np.logical_or.reduce(lanes, axis=(0, 1))


def _initialise(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """`mbarrier.init [addr], count` (9.7.13.15.9)."""
    objects = mbarrier_objects(i, m, i.operands[0], slots)
    count = slots.source(i.operands[1], TYPES["u32"])

    def run(machine: Machine) -> None:
        counts = np.broadcast_to(machine.registers[count].view(U32).astype(np.int64), machine.shape)
        for offset, lanes in objects(machine, "store"):
            wanted = np.where(lanes, counts, 0).max(axis=(0, 1))
            wrong = (counts < 1) | (counts > mbarriers.MAX_COUNT)
            if (lanes & wrong).any():
                count_given = int(counts[lanes & wrong][0])
                what = f"an mbarrier for {count_given} arrivals; 1 to {mbarriers.MAX_COUNT} are allowed"
                raise FaultError(machine.batch.fault(Verdict.MEMORY_FAULT, what, i, lanes & wrong))
            mbarriers.write(machine, offset, mbarriers.initial(wanted).word(), _blocks(lanes))

    return run


def _invalidate(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """`mbarrier.inval [addr]` (9.7.13.15.10)."""
    objects = mbarrier_objects(i, m, i.operands[0], slots)

    def run(machine: Machine) -> None:
        for offset, lanes in objects(machine, "atomic"):
            mbarriers.read(machine, offset, lanes, i)
            mbarriers.write(machine, offset, np.zeros(machine.blocks, dtype=U64), _blocks(lanes))

    return run


def _arrive(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """`mbarrier.arrive` and `arrive_drop`, with .expect_tx and .noComplete (9.7.13.15.13, .14)."""
    target, address, *rest = i.operands
    objects = mbarrier_objects(i, m, address, slots)
    expects = "expect_tx" in m
    count = slots.source(_ONE if expects or not rest else rest[0], TYPES["u32"])
    transactions = slots.source(rest[0], TYPES["u32"]) if expects else None
    wanted = isinstance(target, Register) and target.name != "_" and slots.is_read(target)
    destination = slots.target(target) if wanted and isinstance(target, Register) else None

    def run(machine: Machine) -> None:
        counts = machine.registers[count].view(U32).astype(np.int64)

        def remote(machine: Machine, offset: int, lanes: Array, owner: Array) -> None:
            _count_remote(machine, i, offset, lanes, (owner, counts))

        for offset, lanes in objects(machine, "atomic", remote):
            if transactions is not None:
                _expect(machine, i, offset, lanes, machine.registers[transactions].view(U32).astype(np.int64))
            token = _count(machine, i, m, offset, lanes, np.where(lanes, counts, 0))
            if destination is not None:
                _write_in(machine, lanes, destination, token)

    return run


def _write_in(machine: Machine, lanes: Array, destination: int, value: Array) -> None:
    """Write a register in some of the active lanes."""
    merge, force = machine.merge, machine.force
    if not lanes.all():
        machine.merge, machine.force = lanes, True
    machine.write(destination, value)
    machine.merge, machine.force = merge, force


def _count(machine: Machine, i: Instruction, m: Modifiers, offset: int, lanes: Array, counts: Array) -> Array:
    """Arrive, lane after lane; the state that each lane found."""
    state = mbarriers.read(machine, offset, lanes, i)
    total = counts.sum(axis=(0, 1))
    over = (total > state.pending) & (state.transactions != 0)
    over |= (total >= state.pending) & (total > 0) & ("noComplete" in m)
    if over.any():
        what = f"more arrivals than the phase of the mbarrier at byte {offset} of shared memory has pending"
        raise FaultError(machine.batch.fault(Verdict.MEMORY_FAULT, what, i, lanes & over))
    flat = counts.reshape(-1, machine.blocks)
    before = np.cumsum(flat, axis=0) - flat
    late = before - state.pending
    phases = np.where(late < 0, 0, 1 + late // np.maximum(state.expected, 1))
    token = state.word() - np.minimum(before, state.pending).astype(U64)
    token ^= (phases & 1).astype(U64) << U64.type(61)
    if "arrive_drop" in m:
        state.expected = np.maximum(state.expected - total, 0)
    ended = mbarriers.arrive(state, total)
    mbarriers.write(machine, offset, state.word(), _blocks(lanes))
    machine.stalled = None
    _tell(machine, offset, None if "relaxed" in m else lanes, ended > 0)
    return token.reshape(machine.shape)


def _count_remote(
    machine: Machine, i: Instruction, offset: int, lanes: Array, given: tuple[Array, Array]
) -> None:
    """Arrive at mbarriers of other blocks; `given` are whose they are and the counts."""
    owner, counts = (np.broadcast_to(values, machine.shape)[lanes] for values in given)
    total = np.bincount(owner, weights=counts, minlength=machine.blocks).astype(np.int64)
    blocks = total > 0
    state = mbarriers.read(machine, offset, blocks.reshape(1, 1, -1), i)
    ended = np.where(blocks, mbarriers.arrive(state, total), 0)
    mbarriers.write(machine, offset, state.word(), blocks)
    machine.stalled = None
    ranks = np.broadcast_to(given[0] % machine.batch.geometry.cluster_size, machine.shape)
    for rank in np.unique(ranks[lanes]).tolist():
        for observer in machine.observers:
            observer.arrive(machine, (REMOTE, offset * RANKS + rank), lanes & (ranks == rank), None)
    _tell(machine, offset, None, ended > 0)


def _tell(machine: Machine, offset: int, lanes: Array | None, ended: Array) -> None:
    for observer in machine.observers:
        if lanes is not None:
            observer.arrive(machine, ("mbarrier", offset), lanes, None)
        if ended.any():
            observer.complete(machine, ("mbarrier", offset), ended)


def _expect(machine: Machine, i: Instruction, offset: int, lanes: Array, amount: Array) -> None:
    state = mbarriers.read(machine, offset, lanes, i)
    state.transactions = state.transactions + np.where(lanes, amount, 0).sum(axis=(0, 1))
    mbarriers.write(machine, offset, state.word(), _blocks(lanes))


def _transactions(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """`mbarrier.expect_tx` and `mbarrier.complete_tx` (9.7.13.15.11, .12)."""
    objects = mbarrier_objects(i, m, i.operands[0], slots)
    count = slots.source(i.operands[1], TYPES["u32"])
    sign = 1 if m.parts[0] == "expect_tx" else -1

    def run(machine: Machine) -> None:
        amount = sign * machine.registers[count].view(U32).astype(np.int64)
        for offset, lanes in objects(machine, "atomic"):
            _transact(machine, i, offset, lanes, amount)

    return run


def _transact(machine: Machine, i: Instruction, offset: int, lanes: Array, amount: Array) -> None:
    """Expect transactions, or complete them where `amount` is negative; that may end the phase."""
    _expect(machine, i, offset, lanes, amount)
    state = mbarriers.read(machine, offset, lanes, i)
    over = (state.pending == 0) & (state.transactions == 0) & _blocks(lanes)
    ended = np.where(over, mbarriers.arrive(state, np.zeros(machine.blocks, np.int64)), 0)
    mbarriers.write(machine, offset, state.word(), over)
    machine.stalled = None
    _tell(machine, offset, None, ended > 0)


def _land_counted(machine: Machine, i: Instruction, offset: int, lanes: Array) -> None:
    """Bulk copies that count at an mbarrier have arrived by the time that its blocks look at it."""
    for copy, done in machine.copies.finish_counted(offset, _blocks(lanes).reshape(1, 1, -1)):
        for k, word in enumerate(copy.words):
            store_element(machine, copy.store.offsets + 4 * k, word, done)
        done = np.broadcast_to(done, machine.shape)
        for observer in machine.observers:
            observer.arrive(machine, ("mbarrier", offset), done, copy.group)
        _transact(machine, i, offset, done, np.full((1, 1, 1), -copy.store.size))


def _wait(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """`mbarrier.test_wait` and `try_wait`, of a state or of a parity (9.7.13.15.16)."""
    target, address, which, *_ = i.operands
    assert isinstance(target, Register)
    objects = mbarrier_objects(i, m, address, slots)
    destination = slots.target(target)
    parity = "parity" in m
    operand = slots.source(which, TYPES["u32" if parity else "u64"])

    def run(machine: Machine) -> None:
        value = machine.registers[operand]
        asked = value.view(U32).astype(np.int64) & 1 if parity else mbarriers.phase_of(value.view(U64))
        for offset, lanes in objects(machine, "atomic"):
            _land_counted(machine, i, offset, lanes)
            over = mbarriers.read(machine, offset, lanes, i).phase != asked
            _write_in(machine, lanes, destination, np.broadcast_to(over, machine.shape))
            passed = lanes & over
            if (lanes & ~over).any():
                mbarriers.stall(machine, lanes & ~over)
            if "relaxed" not in m and passed.any():
                for observer in machine.observers:
                    observer.acquire(machine, ("mbarrier", offset), passed)

    return run


def _pending_count(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """`mbarrier.pending_count count, state` (9.7.13.15.17)."""
    target, state = i.operands
    assert isinstance(target, Register)
    destination, source = slots.target(target), slots.source(state, TYPES["u64"])

    def run(machine: Machine) -> None:
        machine.write(destination, mbarriers.pending_of(machine.registers[source].view(U64)).astype(U32))

    return run


def arrive_after_copies(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """`cp.async.mbarrier.arrive{.noinc} [addr]` (9.7.13.15.15): arrive when the thread's copies are done."""
    objects = mbarrier_objects(i, m, i.operands[0], slots)

    def run(machine: Machine) -> None:
        clock = machine.copies.tick(machine.active)
        land_copies(machine, None)
        for offset, lanes in objects(machine, "atomic"):
            for observer in machine.observers:
                observer.arrive(machine, ("mbarrier", offset), lanes, clock)
            if "noinc" in m:
                _count_copies(machine, i, offset, lanes)
            else:
                mbarriers.read(machine, offset, lanes, i)

    return run


def _count_copies(machine: Machine, i: Instruction, offset: int, lanes: Array) -> None:
    """The arrival of copies orders nothing but the copies."""
    state = mbarriers.read(machine, offset, lanes, i)
    ended = mbarriers.arrive(state, lanes.sum(axis=(0, 1)))
    mbarriers.write(machine, offset, state.word(), _blocks(lanes))
    machine.stalled = None
    _tell(machine, offset, None, ended > 0)


_KINDS: dict[str, Callable[[Instruction, Modifiers, Slots], Step]] = {
    "init": _initialise,
    "inval": _invalidate,
    "arrive": _arrive,
    "arrive_drop": _arrive,
    "expect_tx": _transactions,
    "complete_tx": _transactions,
    "test_wait": _wait,
    "try_wait": _wait,
    "pending_count": _pending_count,
}
