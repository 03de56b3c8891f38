"""Arithmetic instructions as steps: read the sources in their types, compute, write the result."""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Formula, Slots, UnsupportedError
from sandbox.simulator.machine.lanes import compress
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.ptx.syntax import Instruction, Pair, Register
from sandbox.simulator.ptx.types import Dtype

# Results of these on thread indices are often the same along a thread axis: tid / 32, tid & 31.
_MAY_COMPRESS = frozenset({"and", "shr", "div", "rem", "bfe"})
_SMALL = 1024


def read_as(value: Array, dtype: Dtype) -> Array:
    """The bits of a register as a dtype; the low bits where the register is wider."""
    if value.dtype is dtype:
        return value
    if value.dtype.itemsize == dtype.itemsize:
        return value.view(dtype)
    unsigned = value.view(f"uint{value.dtype.itemsize * 8}")
    return unsigned.astype(f"uint{dtype.itemsize * 8}").view(dtype)


def formula_step(instruction: Instruction, formula: Formula, slots: Slots) -> Step:
    """The executable form of a formula with one destination."""
    target, *operands = instruction.operands
    if isinstance(target, Pair) or not isinstance(target, Register):
        raise UnsupportedError(instruction.mnemonic)
    if len(operands) != len(formula.sources):
        raise UnsupportedError(instruction.mnemonic)
    pairs = list(zip(operands, formula.sources, strict=True))
    sources = [(slots.source(operand, kind), kind.dtype) for operand, kind in pairs]
    destination = slots.target(target)
    if instruction.opcode in _MAY_COMPRESS and formula.result.kind != "p":
        return _compressing(destination, sources, formula)
    if formula.approximate is not None:
        return _approximating(destination, sources, formula)
    if slots.width(target) > formula.result.bytes:
        return _widening(destination, sources, formula, slots.width(target))
    if len(sources) == 2:
        return _binary(destination, sources, formula)
    return _general(destination, sources, formula)


def _binary(destination: int, sources: list[tuple[int, Dtype]], formula: Formula) -> Step:
    (a, a_type), (b, b_type) = sources
    function = formula.function

    def run(machine: Machine) -> None:
        registers = machine.registers
        x, y = registers[a], registers[b]
        if x.dtype is not a_type:
            x = read_as(x, a_type)
        if y.dtype is not b_type:
            y = read_as(y, b_type)
        value = function(x, y)
        if machine.merge is None:
            registers[destination] = value
        else:
            machine.write(destination, value)

    return run


def _general(destination: int, sources: list[tuple[int, Dtype]], formula: Formula) -> Step:
    function = formula.function

    def run(machine: Machine) -> None:
        registers = machine.registers
        machine.write(destination, function(*(read_as(registers[slot], dtype) for slot, dtype in sources)))

    return run


def _approximating(destination: int, sources: list[tuple[int, Dtype]], formula: Formula) -> Step:
    exact, approximate = formula.function, formula.approximate
    assert approximate is not None

    def run(machine: Machine) -> None:
        registers = machine.registers
        operands = [read_as(registers[slot], dtype) for slot, dtype in sources]
        seed = machine.approximations
        machine.write(destination, exact(*operands) if seed is None else approximate(seed, *operands))

    return run


def _widening(destination: int, sources: list[tuple[int, Dtype]], formula: Formula, width: int) -> Step:
    function = formula.function
    wide = np.dtype(f"int{width * 8}" if formula.result.is_signed else f"uint{width * 8}")

    def run(machine: Machine) -> None:
        registers = machine.registers
        value = function(*(read_as(registers[slot], dtype) for slot, dtype in sources))
        machine.write(destination, value.astype(wide))

    return run


def _compressing(destination: int, sources: list[tuple[int, Dtype]], formula: Formula) -> Step:
    """Try to drop axes of small results; give up at this instruction after eight failures."""
    function = formula.function
    failures = 0

    def run(machine: Machine) -> None:
        nonlocal failures
        registers = machine.registers
        value = function(*(read_as(registers[slot], dtype) for slot, dtype in sources))
        if failures < 8 and value.shape[2] == 1 and 1 < value.size <= _SMALL:
            smaller = compress(value)
            failures += smaller.size == value.size
            value = smaller
        machine.write(destination, value)

    return run
