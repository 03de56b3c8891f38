"""`wmma.load`, `wmma.store` and `wmma.mma` (PTX ISA 9.0, sections 9.7.14.4.3 to 9.7.14.4.5).

How a warp reads a tile is not specified. Here it goes through memory as `ldmatrix` and the stores of `mma`
fragments do: eight lines of 16 bytes an access, of 32 bytes for accumulators of 32 bits and for float64; so
requests, sectors and bank conflicts are those of the hand-written form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Modifiers, Slots, refuse, step
from sandbox.simulator.instructions.loads import MemoryOperand, memory_operand, space_of, windows
from sandbox.simulator.instructions.matrix import (
    gather,
    multiply_fragments,
    registers_of,
    scatter,
    shape_of,
    targets_of,
    whole_warps,
)
from sandbox.simulator.instructions.warps import threads_of, warps_of
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import WARP
from sandbox.simulator.machine.memory import GLOBAL_BASE
from sandbox.simulator.machine.spaces import load_global, load_shared, store_global, store_shared
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.numerics.elements import ELEMENTS, Element
from sandbox.simulator.numerics.fragments import Fragment, accumulator, left, right
from sandbox.simulator.ptx.syntax import Immediate, Instruction, Operand
from sandbox.simulator.ptx.types import S64, TYPES, U32, U64, Dtype
from sandbox.verdict import Verdict

_LANE = np.arange(WARP, dtype=np.int64)
_PROMISED, _NEEDED = 32, 16
"""Bytes: pointers shall be aligned to 256 bits, `ldm` to 16 bytes (CUDA C++ Programming Guide 13.0, "Warp Matrix
Functions"); what moves at once is 16 bytes at most. Less than the first is noted, less than the second a fault."""


@step(
    "wmma",
    "9.7.14.4",
    "load, store and mma of every type and layout",
)
def wmma(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Warp-level matrices of opaque fragments."""
    if m.parts[0] == "mma":
        return multiply_fragments(i, m, slots)
    if m.parts[0] == "load":
        return _load(i, m, slots)
    return _store(i, m, slots)


@dataclass(frozen=True)
class _Tile:
    """A matrix in memory, and the accesses that move it.

    Attributes:
        unit: What is moved as one: an element, or a register of elements below a byte.
        lines: Rows, or columns of a matrix stored by columns; `length` units each.
        width: Bytes a lane moves in one access.
        element_bits: For the stride, which counts elements.
    """

    fragment: Fragment
    by_row: bool
    unit: Dtype
    lines: int
    length: int
    width: int
    element_bits: int

    @cached_property
    def accesses(self) -> tuple[tuple[Array, Array], ...]:
        """Line of each lane, and byte within it, shape (1, 32, 1), of every access."""
        line_bytes = self.length * self.unit.itemsize
        lanes = min(4, line_bytes // self.width)
        if WARP // lanes > self.lines:
            lanes = WARP // self.lines
        found: list[tuple[Array, Array]] = []
        for line in range(0, self.lines, WARP // lanes):
            for byte in range(0, line_bytes, lanes * self.width):
                where = (line + _LANE // lanes, byte + _LANE % lanes * self.width)
                found.append((where[0].reshape(1, WARP, 1), where[1].reshape(1, WARP, 1)))
        return tuple(found)

    @cached_property
    def moved(self) -> Array:
        """For every unit that the accesses move, in order of lane, access, unit: its place in the matrix."""
        units = np.arange(self.width // self.unit.itemsize)
        columns: list[Array] = []
        for line, byte in self.accesses:
            along = byte.reshape(WARP, 1) // self.unit.itemsize + units
            across = np.broadcast_to(line.reshape(WARP, 1), along.shape)
            row, column = (across, along) if self.by_row else (along, across)
            columns.append(row * self.fragment.columns + column)
        return np.stack(columns, axis=1).reshape(-1)


def _tile(m: Modifiers, element: Element) -> _Tile:
    rows, columns, depth = shape_of(m)
    role, by_row = m.parts[1], "row" in m
    if element.bits < 8:
        unit, packed, depth = U32, 1, depth * element.bits // 32
    else:
        unit, packed = np.dtype(f"uint{element.bits}"), element.packed
    fragments: dict[str, Callable[[], Fragment]] = {
        "a": lambda: left(rows, depth, packed),
        "b": lambda: right(depth, columns, packed),
    }
    fragment = fragments.get(role, lambda: accumulator(rows, columns))()
    lines, length = fragment.rows, fragment.columns
    if not by_row:
        lines, length = length, lines
    width = 8 if element.bits == 64 or (role in {"c", "d"} and element.bits == 32) else 4
    return _Tile(fragment, by_row, unit, lines, length, width, element.bits)


@dataclass(frozen=True)
class _Where:
    """The address operand of a tile.

    Attributes:
        operand: Its start.
        stride: Slot of the distance between lines, elements.
        alignment: What start and stride must be multiples of, bytes.
        promised: What CUDA asks of the start, bytes.
    """

    instruction: Instruction
    tile: _Tile
    operand: MemoryOperand
    stride: int
    space: str
    alignment: int
    promised: int

    def spaces(self, machine: Machine) -> list[tuple[str, int, Array | None]]:
        """State spaces that the active lanes address; a fault where it is neither global nor shared."""
        if self.space == "generic":
            found = windows(machine, self.operand)
        else:
            found = [(self.space, GLOBAL_BASE if self.space == "global" else 0, machine.mask)]
        for name, _, mask in found:
            if name not in {"global", "shared"}:
                raise self._fault(machine, f"{self.instruction.mnemonic} on {name} memory", mask)
        return found

    def start(self, machine: Machine) -> tuple[Array, Array]:
        """Address and line stride in bytes, by warp, int64; checked.

        Raises:
            FaultError: Misaligned, or not the same in all lanes of a warp.
        """
        geometry = machine.batch.geometry
        address = (
            warps_of(machine.registers[self.operand.base], geometry).astype(S64) + self.operand.displacement
        )
        stride = warps_of(machine.registers[self.stride].view(np.int32), geometry).astype(S64)
        stride = stride * self.tile.element_bits // 8
        active = True if machine.mask is None else warps_of(machine.mask, geometry, fill=False)
        for value, alignment, name in (
            (address, self.alignment, "address"),
            (stride, self.alignment, "stride"),
        ):
            wrong = active & ((value & (alignment - 1)) != 0)
            if np.any(wrong):
                what = f"misaligned {self.instruction.mnemonic}: its {name} is not a multiple of {alignment} bytes"
                raise self._fault(machine, what, threads_of(wrong, geometry))
            if value.shape[1] > 1 and np.any(active & (value != value[:, :1])):
                what = f"{self.instruction.mnemonic} with different values of its {name} in one warp"
                raise self._fault(machine, what, machine.mask)
        if np.any(active & ((address & (self.promised - 1)) != 0)):
            what = f"{self.instruction.mnemonic} at line {self.instruction.line}"
            note = f"{what}: its address shall be a multiple of {self.promised} bytes; CUDA promises nothing for less"
            machine.notes[note] = None
        return address, stride

    def _fault(self, machine: Machine, what: str, lanes: Array | None) -> FaultError:
        return FaultError(machine.batch.fault(Verdict.MEMORY_FAULT, what, self.instruction, lanes))


def _where(i: Instruction, m: Modifiers, address: Operand, rest: tuple[Operand, ...], slots: Slots) -> _Where:
    element = ELEMENTS.get(m.parts[-1])
    if element is None:
        raise refuse(i.mnemonic)
    tile = _tile(m, element)
    stride = rest[0] if rest else Immediate(tile.length * tile.unit.itemsize * 8 // element.bits)
    registers = len(registers_of(i.operands[1 if m.parts[0] == "store" else 0]))
    once = tile.fragment.elements * tile.unit.itemsize
    return _Where(
        i,
        tile,
        memory_operand(i, address, tile.width, slots),
        slots.source(stride, TYPES["s32"]),
        space_of(m),
        min(_NEEDED, once),
        min(_PROMISED, registers * max(4, tile.unit.itemsize)),
    )


def _load(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    targets = targets_of(i.operands[0], slots)
    where = _where(i, m, i.operands[1], i.operands[2:], slots)
    tile = where.tile
    position = np.empty(tile.moved.size, dtype=np.int64)
    position[tile.moved] = np.arange(tile.moved.size)
    register = U64 if tile.unit.itemsize == 8 else U32
    once = position[tile.fragment.place]
    index = np.tile(once, (1, len(targets) * register.itemsize // tile.unit.itemsize // once.shape[1]))

    def run(machine: Machine) -> None:
        whole_warps(machine, i)
        units = _read(machine, where).view(tile.unit)
        scatter(machine, targets, units.reshape(*units.shape[:2], -1).take(index, axis=2).view(register))

    return run


def _read(machine: Machine, where: _Where) -> Array:
    """32-bit words of a tile as the accesses move them, shape (warps, blocks, 32, words)."""
    geometry, count = machine.batch.geometry, where.tile.width // 4
    address, stride = where.start(machine)
    words: list[Array] = []
    for space, window, mask in where.spaces(machine):
        read = load_global if space == "global" else load_shared
        here: list[Array] = []
        for line, byte in where.tile.accesses:
            offsets = threads_of(address + (stride * line + byte - window), geometry)
            access = MemoryAccess(where.instruction, offsets, where.tile.width, "load", mask)
            here += [warps_of(word, geometry) for word in read(machine, access, U32, count)]
        if words:
            chosen = warps_of(machine.active if mask is None else mask, geometry, fill=False)
            here = [np.where(chosen, new, old) for new, old in zip(here, words, strict=True)]
        words = here
    shape = np.broadcast_shapes(*(word.shape for word in words))
    found = np.empty((shape[0], shape[2], WARP, len(words)), dtype=U32)
    for position, word in enumerate(words):
        found[..., position] = word.transpose(0, 2, 1)
    return found


def _store(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    where = _where(i, m, i.operands[0], i.operands[2:], slots)
    tile = where.tile
    register = U64 if tile.unit.itemsize == 8 else U32
    kind = TYPES["f64"] if register is U64 else TYPES["b32"]
    sources = tuple(slots.source(operand, kind) for operand in registers_of(i.operands[1]))
    order = tile.fragment.lanes[tile.moved]

    def run(machine: Machine) -> None:
        whole_warps(machine, i)
        elements = gather(machine, sources, register).view(tile.unit)
        flat = elements.reshape(*elements.shape[:2], -1).take(order, axis=2)
        _write(machine, where, flat.view(U32).reshape(*flat.shape[:2], WARP, -1))

    return run


def _write(machine: Machine, where: _Where, words: Array) -> None:
    geometry, count = machine.batch.geometry, where.tile.width // 4
    address, stride = where.start(machine)
    for space, window, mask in where.spaces(machine):
        write = store_global if space == "global" else store_shared
        for number, (line, byte) in enumerate(where.tile.accesses):
            offsets = threads_of(address + (stride * line + byte - window), geometry)
            here = words[..., number * count : (number + 1) * count]
            values = [
                threads_of(np.ascontiguousarray(here[..., k].transpose(0, 2, 1)), geometry)
                for k in range(count)
            ]
            write(
                machine,
                MemoryAccess(where.instruction, offsets, where.tile.width, "store", mask, tuple(values)),
                values,
            )
