"""Loads and stores (PTX ISA 9.0, sections 9.7.9.8 to 9.7.9.14)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Modifiers, Slots, refuse, step
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import EVERYONE
from sandbox.simulator.machine.local import load_local, store_local
from sandbox.simulator.machine.spaces import load_global, load_shared, offsets_of, store_global, store_shared
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.machine.surroundings import WINDOW
from sandbox.simulator.ptx.syntax import AddressOperand, Instruction, Operand, Register, Symbol, Vector
from sandbox.simulator.ptx.types import TYPES, U64, Dtype, PtxType
from sandbox.verdict import Verdict

_SPACES = frozenset({"global", "shared", "local", "const", "param"})
_U64 = TYPES["u64"]


@dataclass(frozen=True)
class MemoryOperand:
    """A decoded `[base+offset]`: the slot of the base and the displacement in bytes."""

    instruction: Instruction
    base: int
    displacement: int
    size: int

    def access(self, machine: Machine, kind: str, window: int, mask: Array | None) -> MemoryAccess:
        """The access in a window that starts at that address."""
        offsets = offsets_of(machine.registers[self.base], window, self.displacement)
        return MemoryAccess(self.instruction, offsets, self.size, kind, mask)

    def store(self, machine: Machine, window: int, mask: Array | None, values: list[Array]) -> MemoryAccess:
        """The access of a store in a window that starts at that address."""
        offsets = offsets_of(machine.registers[self.base], window, self.displacement)
        return MemoryAccess(self.instruction, offsets, self.size, "store", mask, tuple(values))


def memory_operand(i: Instruction, operand: Operand, size: int, slots: Slots) -> MemoryOperand:
    """Decode an address operand."""
    assert isinstance(operand, AddressOperand)
    return MemoryOperand(i, slots.source(operand.base, _U64), operand.offset, size)


def space_of(m: Modifiers) -> str:
    """The state space named in a mnemonic; `generic` where none is."""
    for part in m.parts:
        name = part.split("::")[0]
        if name in _SPACES:
            return name
    return "generic"


def elements(operand: Operand) -> tuple[Operand | None, ...]:
    """The parts of a vector operand, or the operand alone."""
    return operand.elements if isinstance(operand, Vector) else (operand,)


@step("ld", "9.7.9.8, 9.7.9.9")
@step("ldu", "9.7.9.10")
def load(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Load one, two, four or eight elements; narrow types extend to the register's width."""
    target, source = i.operands[:2]
    kind = m.type
    targets = [
        (slots.target(e), slots.width(e)) if isinstance(e, Register) else None for e in elements(target)
    ]
    space = space_of(m)
    if space == "param":
        return _load_parameter(source, kind, targets, slots)
    operand = memory_operand(i, source, kind.bytes * len(targets), slots)
    return Load(operand, _READERS[space], kind, tuple(targets))


@dataclass(frozen=True)
class Load:
    """A load as a step.

    Attributes:
        targets: Slot and width in bytes of each register that is written; None for one that is not.
    """

    operand: MemoryOperand
    read: Reader
    kind: PtxType
    targets: tuple[tuple[int, int] | None, ...]

    def __call__(self, machine: Machine) -> None:
        """Access memory, and write what is there into registers."""
        values = self.read(machine, self.operand, self.kind.dtype, len(self.targets))
        for place, value in zip(self.targets, values, strict=True):
            if place is not None:
                machine.write(place[0], extend(value, self.kind, place[1]))

    def unread(self, machine: Machine) -> None:
        """Access memory for those who watch it, and leave the registers as they are."""
        count = len(self.targets) if self.read is _read_generic else 0
        self.read(machine, self.operand, self.kind.dtype, count)


def extend(value: Array, kind: PtxType, width: int) -> Array:
    """Widen a loaded value to its register: sign extension for signed types, else zeros."""
    if value.dtype.itemsize == width:
        return value
    wide = np.dtype(f"int{width * 8}") if kind.is_signed else np.dtype(f"uint{width * 8}")
    source = value if not kind.is_float else value.view(f"uint{kind.bits}")
    return source.astype(wide)


def _load_parameter(
    source: Operand, kind: PtxType, targets: list[tuple[int, int] | None], slots: Slots
) -> Step:
    """Kernel parameters are the same in every lane; parameters of a call differ per lane."""
    assert isinstance(source, AddressOperand)
    if not isinstance(source.base, Symbol):
        raise refuse("ld.param through a register")
    name, start = source.base.name, source.base.offset + source.offset

    def run(machine: Machine) -> None:
        data = machine.parameters.get(name)
        for position, place in enumerate(targets):
            offset = start + position * kind.bytes
            if data is None:
                value = machine.argument(name, offset, kind)
            else:
                value = np.frombuffer(data, dtype=kind.dtype, count=1, offset=offset).reshape(1, 1, 1)
            if place is not None:
                machine.write(place[0], extend(value, kind, place[1]))

    return run


@step("st", "9.7.9.11")
def store(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Store one, two, four or eight elements."""
    target, source = i.operands[:2]
    kind = m.type
    sources = [slots.source(element, kind) for element in elements(source) if element is not None]
    space = space_of(m)
    if space == "param":
        return _store_parameter(target, kind, sources)
    operand = memory_operand(i, target, kind.bytes * len(sources), slots)
    write = _WRITERS[space]

    def run(machine: Machine) -> None:
        write(machine, operand, [narrow(machine.registers[s], kind) for s in sources])

    return run


def narrow(value: Array, kind: PtxType) -> Array:
    """The low bits of a register as the type that is stored."""
    if value.dtype.itemsize == kind.bytes:
        return value.view(kind.dtype)
    return value.view(f"uint{value.dtype.itemsize * 8}").astype(f"uint{kind.bits}").view(kind.dtype)


def _store_parameter(target: Operand, kind: PtxType, sources: list[int]) -> Step:
    assert isinstance(target, AddressOperand)
    assert isinstance(target.base, Symbol)
    name, start = target.base.name, target.base.offset + target.offset

    def run(machine: Machine) -> None:
        for position, source in enumerate(sources):
            value = narrow(machine.registers[source], kind)
            machine.pass_argument((name, start + position * kind.bytes), value)

    return run


Reader = Callable[[Machine, MemoryOperand, Dtype, int], list[Array]]
Writer = Callable[[Machine, MemoryOperand, list[Array]], None]


def _read_global(machine: Machine, operand: MemoryOperand, dtype: Dtype, count: int) -> list[Array]:
    base = machine.windows.buffers
    return load_global(machine, operand.access(machine, "load", base, machine.mask), dtype, count)


def _read_shared(machine: Machine, operand: MemoryOperand, dtype: Dtype, count: int) -> list[Array]:
    base = machine.windows.shared_start
    return load_shared(machine, operand.access(machine, "load", base, machine.mask), dtype, count)


def _read_local(machine: Machine, operand: MemoryOperand, dtype: Dtype, count: int) -> list[Array]:
    base = machine.windows.local_start
    return load_local(machine, operand.access(machine, "load", base, machine.mask), dtype, count)


def _write_global(machine: Machine, operand: MemoryOperand, values: list[Array]) -> None:
    store_global(machine, operand.store(machine, machine.windows.buffers, machine.mask, values), values)


def _read_const(machine: Machine, operand: MemoryOperand, dtype: Dtype, count: int) -> list[Array]:
    """Constant memory is what the module declares so; `ld.const` is for that alone (PTX ISA 9.0, section 5.1.3)."""
    access = operand.access(machine, "load", machine.windows.buffers, machine.mask)
    values = load_global(machine, access, dtype, count)
    shape = np.broadcast_shapes(access.offsets.shape, machine.active.shape)
    active = np.broadcast_to(machine.active, shape)
    for allocation in machine.arena.touched(np.broadcast_to(access.offsets, shape)[active]):
        if allocation.name not in machine.constants:
            what = f"ld.const at an address in {allocation.label}, which is not in constant memory"
            raise FaultError(machine.batch.fault(Verdict.MEMORY_FAULT, what, operand.instruction, active))
    return values


def _write_shared(machine: Machine, operand: MemoryOperand, values: list[Array]) -> None:
    store_shared(machine, operand.store(machine, machine.windows.shared_start, machine.mask, values), values)


def _write_local(machine: Machine, operand: MemoryOperand, values: list[Array]) -> None:
    store_local(machine, operand.store(machine, machine.windows.local_start, machine.mask, values), values)


_GENERIC = ("global", "shared", "local")


def windows(machine: Machine, operand: MemoryOperand) -> list[tuple[str, int, Array | None]]:
    """The state spaces a generic access touches: name, window base, lanes (None: all that take part).

    Raises:
        FaultError: An active lane's address lies in no window.
    """
    address = machine.registers[operand.base].view(U64) + np.uint64(operand.displacement & (1 << 64) - 1)
    low, high = int(address.min()), int(address.max())
    bases = [(name, machine.windows.generic(name)) for name in _GENERIC]
    for name, base in bases:
        if base <= low and high < base + WINDOW:
            return [(name, base, machine.mask)]
    found: list[tuple[str, int, Array | None]] = []
    rest = EVERYONE if machine.mask is None else machine.mask
    for name, base in bases:
        inside = (address >= np.uint64(base)) & (address < np.uint64(base + WINDOW)) & rest
        rest = rest & ~inside
        if inside.any():
            found.append((name, base, inside))
    if rest.any():
        index, *_ = machine.batch.first(rest)
        value = int(np.broadcast_to(address, machine.shape)[index])
        what = f"{operand.size}-byte access at address {value:#x}, which is no buffer"
        raise FaultError(machine.batch.fault(Verdict.MEMORY_FAULT, what, operand.instruction, rest))
    return found


def _read_generic(machine: Machine, operand: MemoryOperand, dtype: Dtype, count: int) -> list[Array]:
    readers = {"global": load_global, "shared": load_shared, "local": load_local}
    results: list[Array] | None = None
    for name, base, mask in windows(machine, operand):
        values = readers[name](machine, operand.access(machine, "load", base, mask), dtype, count)
        if results is None or mask is None:
            results = values
        else:
            results = [np.where(mask, value, old) for value, old in zip(values, results, strict=True)]
    return results or [np.zeros((1, 1, 1), dtype=dtype)] * count


def _write_generic(machine: Machine, operand: MemoryOperand, values: list[Array]) -> None:
    writers = {"global": store_global, "shared": store_shared, "local": store_local}
    for name, base, mask in windows(machine, operand):
        writers[name](machine, operand.store(machine, base, mask, values), values)


_READERS: dict[str, Reader] = {
    "global": _read_global,
    "const": _read_const,
    "shared": _read_shared,
    "local": _read_local,
    "generic": _read_generic,
}
_WRITERS: dict[str, Writer] = {
    "global": _write_global,
    "shared": _write_shared,
    "local": _write_local,
    "generic": _write_generic,
}
