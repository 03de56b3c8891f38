"""Checked access to global, shared, local and constant memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sandbox.device import Array, Fault
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.clusters import in_cluster, reaches_out
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import EVERYONE, common_shape, some, spread
from sandbox.simulator.machine.state import Machine
from sandbox.simulator.ptx.types import S64, U32, U64, Dtype
from sandbox.verdict import Verdict

_GLOBAL, _SHARED = "global memory", "shared memory"
_VERBS = {"load": "read", "store": "write", "atomic": "atomic", "copy": "copy"}


def checked_global(machine: Machine, access: MemoryAccess) -> MemoryAccess:
    """Check bounds and alignment of a global access; inactive lanes are moved to a harmless address.

    The offsets of the access returned index `Arena.view`.

    Raises:
        FaultError: A lane touches memory outside every allocation, or misaligned.
    """
    offsets, size = access.offsets, access.size
    low, high = _bounds(offsets)
    arena = machine.arena
    if access.mask is not None and not arena.contains(low, high + size):
        offsets = _of_active(offsets, access.mask)
        low, high = _bounds(offsets)
    inside = arena.contains(low, high + size)
    if not inside:
        outside = arena.outside(offsets, size)
        active = outside if access.mask is None else outside & access.mask
        if some(active):
            raise FaultError(_global_fault(machine, access, active))
        offsets = _replace(offsets, outside, access.mask)
    offsets = arena.locate(_aligned(machine, access, offsets, _GLOBAL))
    if machine.memory is not None:
        offsets = offsets + machine.memory
    if inside:
        arena.touch(offsets, low)
    return access if offsets is access.offsets else _moved(access, offsets)


def checked_shared(machine: Machine, access: MemoryAccess, limit: int, what: str) -> MemoryAccess:
    """Check bounds and alignment against [0, limit), in shared memory against its variables.

    `what` names the memory in messages.

    Raises:
        FaultError: A lane touches memory outside it, or misaligned.
    """
    offsets, size = access.offsets, access.size
    low, high = _bounds(offsets)
    high += size
    shared = machine.shared if what == _SHARED and machine.shared.regions else None
    if not shared.contains(low, high) if shared else low < 0 or high > limit:
        if what == _SHARED and reaches_out(machine, access, high):
            return checked_shared(machine, in_cluster(machine, access), limit, what)
        outside = shared.outside(offsets, size) if shared else (offsets < 0) | (offsets + size > limit)
        active = outside if access.mask is None else outside & access.mask
        if some(active):
            raise FaultError(_window_fault(machine, access, active, limit, what))
        offsets = _replace(offsets, outside, access.mask)
    offsets = _aligned(machine, access, offsets, what)
    return access if offsets is access.offsets else _moved(access, offsets)


def _bounds(offsets: Array) -> tuple[int, int]:
    """The least and the largest of them."""
    return int(np.minimum.reduce(offsets, axis=None)), int(np.maximum.reduce(offsets, axis=None))


def _moved(access: MemoryAccess, offsets: Array) -> MemoryAccess:
    return access._replace(offsets=offsets)


def _replace(offsets: Array, wrong: Array, mask: Array | None) -> Array:
    """Send lanes that do not take part to the address of one that does."""
    taking_part = ~wrong if mask is None else np.logical_and(mask, ~wrong)
    shape = common_shape(offsets, taking_part)
    position = int(np.argmax(spread(taking_part, shape)))
    return np.where(wrong, spread(offsets, shape).flat[position], offsets)


def _of_active(offsets: Array, mask: Array) -> Array:
    """Offsets whose inactive lanes are sent to the address of an active one, where there is any."""
    if offsets.shape == mask.shape:
        return np.where(mask, offsets, offsets.flat[int(mask.argmax())])
    first = np.unravel_index(int(mask.argmax()), mask.shape)
    place = tuple(min(int(at), length - 1) for at, length in zip(first, offsets.shape, strict=True))
    return np.where(mask, offsets, offsets[place])


def _aligned(machine: Machine, access: MemoryAccess, offsets: Array, what: str) -> Array:
    low_bits = access.size - 1
    if not low_bits or not int(np.bitwise_or.reduce(offsets, axis=None)) & low_bits:
        return offsets
    wrong = (offsets & low_bits) != 0
    active = wrong if access.mask is None else wrong & access.mask
    if active.any():
        index, *_ = machine.batch.first(active)
        offset = int(np.broadcast_to(offsets, machine.shape)[index])
        name, label, start, _ = _place(machine, offset, what)
        verb = f"misaligned {access.size}-byte {_VERBS[access.kind]}"
        text = f"{verb} at byte {offset - start} of {label}: its address is no multiple of {access.size}"
        fault = machine.batch.fault(Verdict.MEMORY_FAULT, text, access.instruction, active)
        raise FaultError(_with_buffer(fault, name, offset - start))
    return _replace(offsets, wrong, access.mask)


def _place(machine: Machine, offset: int, what: str) -> tuple[str, str, int, int | None]:
    """What lies at an offset of a memory, what people call it, where it begins and ends (None: with the memory)."""
    if what == _GLOBAL and (near := machine.arena.nearest(offset)) is not None:
        return near.name, near.label, near.start, near.end
    if what == _SHARED and (region := machine.shared.region(offset)) is not None:
        label = f"shared variable {plain_name(region[0])}"
        return label, label, *region[1:]
    return what, what, 0, None


def _global_fault(machine: Machine, access: MemoryAccess, active: Array) -> Fault:
    index, *_ = machine.batch.first(active)
    offset = int(np.broadcast_to(access.offsets, machine.shape)[index])
    verb = _VERBS[access.kind]
    near = machine.arena.nearest(offset)
    if near is None or not -(1 << 32) < offset < machine.arena.extent + (1 << 32):
        what = (
            f"{access.size}-byte {verb} at address {machine.windows.buffers + offset:#x}, which is no buffer"
        )
        return machine.batch.fault(Verdict.MEMORY_FAULT, what, access.instruction, active)
    if offset < near.start:
        where = f"{near.start - offset} bytes before the start of {near.label}"
    elif offset < near.end:
        where = f"across the end of {near.label}"
    else:
        where = f"{offset - near.end} bytes past the end of {near.label}"
    what = f"out-of-bounds {access.size}-byte {verb}, {where}"
    fault = machine.batch.fault(Verdict.MEMORY_FAULT, what, access.instruction, active)
    return _with_buffer(fault, near.name, offset - near.start)


def _with_buffer(fault: Fault, name: str, offset: int) -> Fault:
    return replace(fault, buffer=name, offset=offset)


def _window_fault(machine: Machine, access: MemoryAccess, active: Array, limit: int, what: str) -> Fault:
    index, *_ = machine.batch.first(active)
    offset = int(np.broadcast_to(access.offsets, machine.shape)[index])
    name, label, start, end = _place(machine, offset, what)
    verb, size = _VERBS[access.kind], limit if end is None else end - start
    text = f"out-of-bounds {access.size}-byte {verb} at byte {offset - start} of {label} ({size} bytes)"
    fault = machine.batch.fault(Verdict.MEMORY_FAULT, text, access.instruction, active)
    return _with_buffer(fault, name, offset - start)


def plain_name(symbol: str) -> str:
    """The last part of a mangled name, as the source has it."""
    return symbol.rsplit("E", 1)[-1].lstrip("0123456789") or symbol


def load_global(machine: Machine, access: MemoryAccess, dtype: Dtype, count: int) -> list[Array]:
    """Read `count` consecutive elements of a dtype in every lane."""
    access = checked_global(machine, access)
    for observer in machine.observers:
        observer.global_access(machine, access)
    size = dtype.itemsize
    view = machine.arena.view(size)
    index = access.offsets >> (size.bit_length() - 1)
    return [view.take(index + k if k else index).view(dtype) for k in range(count)]


def store_global(machine: Machine, access: MemoryAccess, values: list[Array]) -> None:
    """Write consecutive elements in the lanes that take part; of lanes that collide, the last wins."""
    access = checked_global(machine, access)
    for observer in machine.observers:
        observer.global_access(machine, access)
    size = values[0].dtype.itemsize
    view = machine.arena.view(size)
    index = access.offsets >> (size.bit_length() - 1)
    for k, value in enumerate(values):
        bits = value.view(view.dtype)
        if access.mask is None:
            view[spread(index + k, common_shape(index, bits))] = bits
        else:
            where, element = select(access.mask, index + k, bits)
            view[where] = element


def select(mask: Array, *values: Array) -> tuple[Array, ...]:
    """The values in the lanes of a mask, flat, all of one length."""
    shape = common_shape(mask, *values)
    full = spread(mask, shape)
    return tuple(spread(value, shape)[full] for value in values)


def load_shared(machine: Machine, access: MemoryAccess, dtype: Dtype, count: int) -> list[Array]:
    """Read `count` consecutive elements of shared memory in every lane."""
    access = checked_shared(machine, access, machine.shared.size, _SHARED)
    for observer in machine.observers:
        observer.shared_access(machine, access)
    size = dtype.itemsize
    return [shared_element(machine, access.offsets + k * size, dtype, access.owner) for k in range(count)]


def shared_element(machine: Machine, offsets: Array, dtype: Dtype, owner: Array | None) -> Array:
    """Read one element a lane of shared memory; offsets are already checked."""
    shared = machine.shared
    size = dtype.itemsize
    if size == 8:
        low = shared_element(machine, offsets, U32, owner).astype(U64)
        high = shared_element(machine, offsets + 4, U32, owner).astype(U64)
        return (low | high << np.uint64(32)).view(dtype)
    word = offsets >> 2
    block = shared.block_index if owner is None else owner
    if size == 4:
        if word.shape[2] == 1 and owner is None:
            return shared.words.take(word[:, :, 0], axis=0).view(dtype)
        return shared.words[word, block].view(dtype)
    view, part = _narrow_view(machine, offsets, size)
    if word.shape[2] == 1 and owner is None:
        return view[word[:, :, 0], :, part[:, :, 0]].view(dtype)
    return view[word, block, part].view(dtype)


def _narrow_view(machine: Machine, offsets: Array, size: int) -> tuple[Array, Array]:
    view = machine.shared.halves if size == 2 else machine.shared.bytes
    return view, (offsets & 3) >> (size - 1)


def store_shared(machine: Machine, access: MemoryAccess, values: list[Array]) -> None:
    """Write consecutive elements of shared memory in the lanes that take part."""
    access = checked_shared(machine, access, machine.shared.size, _SHARED)
    for observer in machine.observers:
        observer.shared_access(machine, access)
    size = values[0].dtype.itemsize
    for k, value in enumerate(values):
        offsets = access.offsets + k * size
        if size == 8:
            bits = value.view(U64)
            store_element(machine, offsets, bits.astype(U32), access.mask, access.owner)
            high = (bits >> np.uint64(32)).astype(U32)
            store_element(machine, offsets + 4, high, access.mask, access.owner)
        else:
            store_element(machine, offsets, value, access.mask, access.owner)


def store_element(
    machine: Machine, offsets: Array, value: Array, mask: Array | None, owner: Array | None = None
) -> None:
    """Write one element of 1, 2 or 4 bytes a lane to shared memory; offsets are already checked."""
    size = value.dtype.itemsize
    value = value.view(f"uint{size * 8}")
    if size < 4:
        view, part = _narrow_view(machine, offsets, size)
    else:
        view, part = machine.shared.words, None
    word = offsets >> 2
    if word.shape[2] == 1 and (mask is None or mask.shape[2] == 1) and part is None and owner is None:
        _store_rows(view, word[:, :, 0], value, mask)
        return
    blocks = machine.shared.block_index.reshape(1, 1, -1) if owner is None else owner
    fields = [
        word,
        blocks,
        value,
        *([part] if part is not None else []),
    ]
    everywhere = EVERYONE if mask is None else mask
    row, block, element, *rest = select(everywhere, *fields)
    view[(row, block, *rest)] = element


def _store_rows(view: Array, row: Array, value: Array, mask: Array | None) -> None:
    """The common case: the address does not depend on the block, so one row serves every block."""
    lead = np.broadcast_shapes(row.shape, value.shape[:2], mask.shape[:2] if mask is not None else (1, 1))
    rows = spread(row, lead)
    elements = spread(value, (*lead, value.shape[2]))
    if mask is None:
        view[rows] = elements
    else:
        active = spread(mask[:, :, 0], lead)
        view[rows[active]] = elements[active]


def offsets_of(address: Array, base: int, displacement: int) -> Array:
    """Byte offsets into a window, int64: address + displacement - base."""
    delta = displacement - base
    wide = address.view(S64) if address.dtype.itemsize == 8 else address.astype(S64)
    return wide + delta if delta else wide


def land_copies(machine: Machine, before: Array | None) -> None:
    """Write the copies of the active threads in groups below `before` (None: all) to shared memory."""
    for copy, done in machine.copies.finish(machine.active, before):
        for k, word in enumerate(copy.words):
            store_element(machine, copy.store.offsets + 4 * k, word, done)
