"""Matrix multiply-accumulate on a warp's registers (PTX ISA 9.0, sections 9.7.14.4.5 and 9.7.14.5.14)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Modifiers, Slots, refuse, step
from sandbox.simulator.instructions.warps import spelled_out, threads_of, warps_of
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import WARP
from sandbox.simulator.machine.state import HeldMatrix, Machine, Step
from sandbox.simulator.numerics.elements import ELEMENTS, Element, decode, encode, split
from sandbox.simulator.numerics.fragments import (
    Fragment,
    accumulator,
    left,
    quad_accumulator,
    quad_left,
    quad_right,
    right,
)
from sandbox.simulator.ptx.syntax import Instruction, Operand, Register, Vector
from sandbox.simulator.ptx.types import S32, TYPES, Dtype
from sandbox.verdict import Verdict

_SHAPE = re.compile(r"m(\d+)n(\d+)k(\d+)")


def shape_of(m: Modifiers) -> tuple[int, int, int]:
    """M, N and K of a mnemonic with `.m16n8k16` in it."""
    found = next((match for part in m.parts if (match := _SHAPE.fullmatch(part))), None)
    if found is None:
        raise refuse("no matrix shape")
    return int(found[1]), int(found[2]), int(found[3])


def whole_warps(machine: Machine, instruction: Instruction) -> None:
    """Every warp that is here is here whole: `.aligned` makes anything else undefined.

    Raises:
        FaultError: Some lanes of a warp are missing.
    """
    geometry = machine.batch.geometry
    if machine.mask is None and geometry.threads % WARP == 0:
        return
    active = spelled_out(machine)
    count = active.sum(axis=1, keepdims=True)
    wrong = active & (count < WARP)
    if wrong.any():
        here = int(count[wrong.any(axis=1, keepdims=True)].flat[0])
        what = f"{instruction.mnemonic} executed by {here} lanes of a warp; it takes all {WARP}"
        lanes = threads_of(wrong, geometry)
        raise FaultError(machine.batch.fault(Verdict.BARRIER_DIVERGENCE, what, instruction, lanes))


def registers_of(operand: Operand) -> tuple[Operand, ...]:
    """The registers of a fragment operand."""
    elements = operand.elements if isinstance(operand, Vector) else (operand,)
    return tuple(element for element in elements if element is not None)


def gather(machine: Machine, slots: tuple[int, ...], dtype: Dtype) -> Array:
    """A fragment's registers, shape (warps or 1, blocks or 1, 32, registers), contiguous."""
    geometry = machine.batch.geometry
    values = [warps_of(machine.registers[slot].view(dtype), geometry) for slot in slots]
    warps, _, blocks = np.broadcast_shapes(*(value.shape for value in values))
    found = np.empty((warps, blocks, WARP, len(values)), dtype=dtype)
    for position, value in enumerate(values):
        found[..., position] = value.transpose(0, 2, 1)
    return found


def scatter(machine: Machine, slots: tuple[int, ...], registers: Array) -> None:
    """Write a fragment's registers; the inverse of `gather`."""
    geometry = machine.batch.geometry
    for position, slot in enumerate(slots):
        value = np.ascontiguousarray(registers[..., position].transpose(0, 2, 1))
        machine.write(slot, threads_of(value, geometry))


def _scatter_matrix(machine: Machine, slots: tuple[int, ...], elements: Array, fragment: Fragment) -> None:
    """Write a matrix of one element a register: blocks come last first, so that whole rows of them are moved."""
    geometry = machine.batch.geometry
    rows = np.ascontiguousarray(elements.reshape(*elements.shape[:2], -1).transpose(0, 2, 1))
    for position, slot in enumerate(slots):
        machine.write(slot, threads_of(rows.take(fragment.place[:, position], axis=1), geometry))


def targets_of(operand: Operand, slots: Slots) -> tuple[int, ...]:
    """Slots of a destination fragment."""
    return tuple(slots.target(e) for e in registers_of(operand) if isinstance(e, Register))


_MATRICES = 16
"""Of the sources that were decoded last: a product of tiles multiplies each of them several times."""


@dataclass(frozen=True)
class _Held:
    """A fragment in registers: those that repeat others are left out."""

    fragment: Fragment
    element: Element
    slots: tuple[int, ...]

    def matrix(self, machine: Machine) -> Array:
        """float64, shape (warps or 1, blocks or 1, [4,] rows, columns); not to be changed."""
        held = tuple(machine.registers[slot] for slot in self.slots)
        known = machine.matrices.get(self.key)
        if known is not None and all(map(operator.is_, held, known.registers)):
            return known.values
        codes = split(gather(machine, self.slots, self.element.register), self.element)
        shape, fragment = codes.shape[:2], self.fragment
        inner = () if fragment.matrices == 1 else (fragment.matrices,)
        placed = decode(codes.reshape(*shape, -1).take(fragment.lanes, axis=2), self.element)
        return self.holds(machine, placed.reshape(*shape, *inner, fragment.rows, fragment.columns))

    def holds(self, machine: Machine, values: Array) -> Array:
        """Remember what its registers hold now, and return it."""
        held = tuple(machine.registers[slot] for slot in self.slots)
        machine.matrices[self.key] = HeldMatrix(held, values)
        if len(machine.matrices) > _MATRICES:
            del machine.matrices[next(iter(machine.matrices))]
        return values

    @cached_property
    def key(self) -> tuple[object, ...]:
        """What tells it from other ones: every combination has one object for its fragment."""
        return (id(self.fragment), self.element.name, *self.slots)


def _source(operand: Operand, fragment: Fragment, element: Element, slots: Slots) -> _Held:
    kind = TYPES["f64"] if element.bits == 64 else TYPES["b32"]
    needed = max(1, fragment.elements // element.packed)
    registers = registers_of(operand)[:needed]
    return _Held(fragment, element, tuple(slots.source(register, kind) for register in registers))


def _types(m: Modifiers) -> tuple[Element, Element, Element, Element]:
    """Of D, A, B and C; wmma on f16 names only D and C."""
    names = [part for part in m.parts if part in ELEMENTS]
    if len(names) == 2:
        names = [names[0], "f16", "f16", names[1]]
    if len(names) != 4:
        raise refuse("element types")
    d, a, b, c = (ELEMENTS[name] for name in names)
    return d, a, b, c


_REFUSED = ("sp", "kind", "block_scale", "scale_vec")


@step(
    "mma",
    "9.7.14.5.14",
    "dense, every shape of f16, bf16, tf32, f64, e4m3, e5m2, s8, u8, s4, u4, b1",
)
def mma(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """D = A * B + C on the matrices that a warp holds in registers."""
    if any(part.split("::")[0] in _REFUSED for part in m.parts):
        raise refuse(i.mnemonic)
    rows, columns, depth = shape_of(m)
    _, a, b, _ = _types(m)
    if (rows, a.name) == (8, "f16"):
        orders = [part for part in m.parts if part in {"row", "col"}]
        return _multiply(i, m, slots, (quad_left(orders[0]), quad_right(orders[1])), quad_accumulator)
    sources = left(rows, depth, a.packed), right(depth, columns, b.packed)
    return _multiply(i, m, slots, sources, lambda _: accumulator(rows, columns))


def multiply_fragments(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """`wmma.mma` (9.7.14.4.5): the same on opaque fragments."""
    rows, columns, depth = shape_of(m)
    _, a, b, _ = _types(m)
    if "satfinite" in m and not a.is_integer:
        raise refuse(".satfinite on floats")
    sources = left(rows, depth, a.packed), right(depth, columns, b.packed)
    return _multiply(i, m, slots, sources, lambda _: accumulator(rows, columns))


def _multiply(
    i: Instruction,
    m: Modifiers,
    slots: Slots,
    fragments: tuple[Fragment, Fragment],
    sums: Callable[[str], Fragment],
) -> Step:
    d, a, b, c = _types(m)
    if {"rz", "rm", "rp"} & set(m.parts):
        raise refuse("rounding other than .rn")
    lhs, rhs = (_source(i.operands[1 + k], fragments[k], kind, slots) for k, kind in enumerate((a, b)))
    addend = _source(i.operands[3], sums(c.name), c, slots)
    targets, result = targets_of(i.operands[0], slots), sums(d.name)
    total = _Held(result, d, targets[: max(1, result.elements // d.packed)])
    combine = _combination(m, a, d)

    def run(machine: Machine) -> None:
        whole_warps(machine, i)
        matrix = combine(lhs.matrix(machine), rhs.matrix(machine), addend.matrix(machine))
        codes = encode(matrix, d)
        if d.packed == 1:
            _scatter_matrix(machine, targets, codes.view(d.register), result)
        else:
            flat = codes.reshape(*matrix.shape[:2], -1).take(result.place, axis=2)
            scatter(machine, targets, flat.view(d.register))
        if machine.merge is None:
            total.holds(machine, decode(codes, d))

    return run


Combination = Callable[[Array, Array, Array], Array]


def _combination(m: Modifiers, a: Element, d: Element) -> Combination:
    """Matrices to the matrix of results: float64, or int32 for integers."""
    if not a.is_integer:
        return lambda lhs, rhs, addend: lhs @ rhs + addend
    product = _xor_popc if a.name == "b1" and "xor" in m else np.matmul
    info = np.iinfo(S32)
    if "satfinite" in m:
        return lambda lhs, rhs, addend: np.clip(product(lhs, rhs) + addend, info.min, info.max).astype(S32)
    return lambda lhs, rhs, addend: (product(lhs, rhs) + addend).astype(np.int64).astype(S32)


def _xor_popc(lhs: Array, rhs: Array) -> Array:
    """Bits in which a row and a column differ."""
    return lhs.sum(axis=-1, keepdims=True) + rhs.sum(axis=-2, keepdims=True) - 2 * (lhs @ rhs)
