"""Matrices between shared memory and registers, 8 by 8 at a time (PTX ISA 9.0, 9.7.14.5.15 to 9.7.14.5.17)."""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Modifiers, Slots, refuse, step
from sandbox.simulator.instructions.loads import MemoryOperand, memory_operand
from sandbox.simulator.instructions.matrix import gather, registers_of, scatter, targets_of, whole_warps
from sandbox.simulator.instructions.warps import threads_of, warps_of
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.lanes import WARP
from sandbox.simulator.machine.spaces import checked_shared, load_shared, store_shared
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.ptx.syntax import Instruction, Operand
from sandbox.simulator.ptx.types import TYPES, U16, U32

_ROW = 16
"""Bytes of a row of eight 16-bit elements."""
_LANE = np.arange(WARP)


@step("ldmatrix", "9.7.14.5.15", ".m8n8 of .b16, one, two or four, .trans")
def ldmatrix(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Each 8 lanes give the addresses of the rows of one matrix; lane l gets two neighbours of row l / 4."""
    targets = targets_of(i.operands[0], slots)
    operand, providers = _operand(i, m, i.operands[1], len(targets), slots)
    index = _transposed(len(targets)) if "trans" in m else _straight(len(targets))
    unit = U16 if "trans" in m else U32

    def run(machine: Machine) -> None:
        whole_warps(machine, i)
        access = _access(machine, operand, "load", providers)
        rows = _rows(machine, load_shared(machine, access, U32, 4)).view(unit)
        words = rows.reshape(*rows.shape[:2], -1).take(index, axis=2).view(U32)
        scatter(machine, targets, np.moveaxis(words[..., 0], 2, 3))

    return run


@step("stmatrix", "9.7.14.5.16", ".m8n8 of .b16, one, two or four, .trans")
def stmatrix(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """The inverse of `ldmatrix`."""
    sources = tuple(slots.source(register, TYPES["b32"]) for register in registers_of(i.operands[1]))
    operand, providers = _operand(i, m, i.operands[0], len(sources), slots)
    index = _transposed(len(sources)) if "trans" in m else _straight(len(sources))
    unit = U16 if "trans" in m else U32
    order = np.empty(index.size, dtype=np.int64)
    order[index.reshape(-1)] = np.arange(index.size)

    def run(machine: Machine) -> None:
        whole_warps(machine, i)
        registers = np.ascontiguousarray(np.moveaxis(gather(machine, sources, U32), 3, 2))
        flat = registers.reshape(*registers.shape[:2], -1).view(unit)
        rows = np.zeros((*flat.shape[:2], WARP, 4), dtype=U32)
        rows[:, :, : 8 * len(sources)] = (
            flat.take(order, axis=2).view(U32).reshape(*flat.shape[:2], 8 * len(sources), 4)
        )
        geometry = machine.batch.geometry
        values = [threads_of(rows[..., k].transpose(0, 2, 1), geometry) for k in range(4)]
        values = [np.ascontiguousarray(value) for value in values]
        store_shared(
            machine, _access(machine, operand, "store", providers)._replace(values=tuple(values)), values
        )

    return run


@step("movmatrix", "9.7.14.5.17")
def movmatrix(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Transpose an 8 by 8 matrix of 16-bit elements across the lanes of a warp."""
    targets = targets_of(i.operands[0], slots)
    sources = (slots.source(i.operands[1], TYPES["b32"]),)
    index = (_LANE % 4 * 2)[:, None] + np.arange(2)
    place = index * 8 + (_LANE // 4)[:, None]

    def run(machine: Machine) -> None:
        whole_warps(machine, i)
        # Lane l holds elements 2l and 2l + 1 of the matrix by rows, so registers in order are the matrix.
        halves = gather(machine, sources, U32).view(U16)
        flat = halves.reshape(*halves.shape[:2], -1)
        scatter(machine, targets, flat.take(place, axis=2).view(U32))

    return run


def _straight(count: int) -> Array:
    """Which 32-bit word of the rows each lane gets: shape (count, 32, 1)."""
    matrix = np.arange(count)[:, None]
    return ((8 * matrix + _LANE // 4) * 4 + _LANE % 4)[..., None]


def _transposed(count: int) -> Array:
    """Which two 16-bit elements of the rows each lane gets: shape (count, 32, 2)."""
    row = 8 * np.arange(count)[:, None, None] + (_LANE % 4 * 2)[:, None] + np.arange(2)
    return row * 8 + (_LANE // 4)[:, None]


def _operand(
    i: Instruction, m: Modifiers, address: Operand, count: int, slots: Slots
) -> tuple[MemoryOperand, Array | None]:
    """The address operand, and which lanes of a warp give addresses (None: all)."""
    if "m8n8" not in m or "b16" not in m:
        raise refuse(i.mnemonic)
    operand = memory_operand(i, address, _ROW, slots)
    providers = np.less(_LANE, 8 * count).reshape(1, WARP, 1)
    return operand, None if count == 4 else providers


def _access(machine: Machine, operand: MemoryOperand, kind: str, providers: Array | None) -> MemoryAccess:
    mask = machine.mask
    named = any(part.startswith("shared") for part in operand.instruction.modifiers)
    base = machine.windows.shared_start if named else machine.windows.shared
    if providers is not None:
        if machine.target == "sm_75":
            # There every lane must give a valid address, whether or not it is used.
            every = operand.access(machine, kind, base, mask)
            checked_shared(machine, every, machine.shared.size, "shared memory")
        geometry = machine.batch.geometry
        lanes = threads_of(providers, geometry)
        mask = lanes if mask is None else lanes & mask
    return operand.access(machine, kind, base, mask)


def _rows(machine: Machine, words: list[Array]) -> Array:
    """What every lane read, shape (warps, blocks, 32, 4)."""
    lanes = [warps_of(word, machine.batch.geometry) for word in words]
    warps, _, blocks = np.broadcast_shapes(*(lane.shape for lane in lanes))
    rows = np.empty((warps, blocks, WARP, 4), dtype=U32)
    for position, lane in enumerate(lanes):
        rows[..., position] = lane.transpose(0, 2, 1)
    return rows
