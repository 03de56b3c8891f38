"""Slots: where registers, constants, special registers and symbols live while a kernel runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import UnsupportedError
from sandbox.simulator.ptx.syntax import Function, Immediate, Operand, Register, Symbol
from sandbox.simulator.ptx.types import TYPES, U32, U64, PtxType, constant

_ABSURD = 0x7F
"""Every byte of a register that nothing wrote: huge as a float and as an integer."""
_SPECIAL_64 = frozenset({"%clock64", "%globaltimer", "%gridid"})
_VECTORS = ("tid", "ntid", "ctaid", "nctaid", "clusterid", "nclusterid", "cluster_ctaid", "cluster_nctaid")
SPECIAL_REGISTERS = frozenset(
    {f"%{name}.{axis}" for name in _VECTORS for axis in "xyz"}
    | {f"%lanemask_{name}" for name in ("eq", "le", "lt", "ge", "gt")}
    | {"%laneid", "%warpid", "%nwarpid", "%WARP_SZ", "%smid", "%nsmid", "%gridid", "%is_explicit_cluster"}
    | {"%cluster_ctarank", "%cluster_nctarank", "%dynamic_smem_size", "%total_smem_size"}
    | {"%envreg1", "%envreg2", "%clock", "%clock_hi", "%clock64"}
    | {"%globaltimer", "%globaltimer_lo", "%globaltimer_hi"}
)
"""Those that have a value here (PTX ISA 9.0, chapter 10); any other is refused where it is read."""


class SlotTable:
    """Gives every register, constant, special register and symbol a slot."""

    def __init__(self, function: Function, read: frozenset[str]) -> None:
        self.values: list[Array] = []
        self.specials: dict[str, int] = {}
        self.symbols: dict[int, tuple[str, int]] = {}
        self._registers: dict[str, int] = {}
        self._by_key: dict[tuple[object, ...], int] = {}
        self._kinds = function.registers
        self._read = read

    def source(self, operand: Operand, kind: PtxType) -> int:
        """The slot to read an operand from."""
        if isinstance(operand, Register):
            return self.target(operand) if operand.name in self._kinds else self._special(operand.name)
        if isinstance(operand, Immediate):
            return self._constant(operand, kind)
        if isinstance(operand, Symbol):
            return self._symbol(operand.name, operand.offset)
        raise UnsupportedError(f"operand {operand}")

    def target(self, register: Register) -> int:
        """The slot of a declared register; one that nothing wrote reads as an absurd value, or false."""
        known = self._registers.get(register.name)
        if known is not None:
            return known
        if register.name not in self._kinds:
            if register.name == "_":
                return self._slot(("sink",), lambda: constant(0, U32))
            raise UnsupportedError(f"register {register.name}")
        kind = TYPES.get(self._kinds[register.name])
        if kind is None:
            raise UnsupportedError(f"a register of type .{self._kinds[register.name]}")
        slot = self._registers[register.name] = len(self.values)
        self.values.append(_never_written(kind))
        return slot

    def width(self, register: Register) -> int:
        """Declared width, bytes."""
        kind = TYPES.get(self._kinds.get(register.name, "u32"))
        return kind.bytes if kind is not None else 16

    def is_read(self, register: Register) -> bool:
        """Whether anything reads the register."""
        return register.name in self._read

    def register_slot(self, name: str) -> int | None:
        """The slot of a register that was used, else None."""
        return self._registers.get(name)

    def _special(self, name: str) -> int:
        if name not in SPECIAL_REGISTERS:
            raise UnsupportedError(f"register {name}")
        width = U64 if name in _SPECIAL_64 else U32
        slot = self._slot(("special", name), lambda: constant(0, width))
        self.specials[name] = slot
        return slot

    def _constant(self, operand: Immediate, kind: PtxType) -> int:
        value = operand.value
        if kind.name == "pred":
            return self._slot(("constant", "pred", bool(value)), lambda: constant(bool(value), kind.dtype))
        if operand.bits is not None and not kind.is_float:
            value = operand.bits
        if kind.is_float and operand.bits is not None:
            return self._slot(("bits", kind.name, operand.bits), lambda: _float_image(operand, kind))
        if kind.is_float and isinstance(value, int):
            unsigned = np.dtype(f"uint{kind.bits}")
            return self._slot(("image", kind.name, value), lambda: constant(value, unsigned).view(kind.dtype))
        return self._slot(("constant", kind.name, value), lambda: constant(value, kind.dtype))

    def _symbol(self, name: str, offset: int) -> int:
        slot = self._slot(("symbol", name, offset), lambda: constant(0, U64))
        self.symbols[slot] = (name, offset)
        return slot

    def _slot(self, key: tuple[object, ...], value: Callable[[], Array]) -> int:
        slot = self._by_key.get(key)
        if slot is None:
            slot = self._by_key[key] = len(self.values)
            self.values.append(value())
        return slot


@cache
def _never_written(kind: PtxType) -> Array:
    if kind.name == "pred":
        return constant(False, kind.dtype)
    return np.full(kind.bytes, _ABSURD, dtype=np.uint8).view(kind.dtype).reshape(1, 1, 1)


def _float_image(operand: Immediate, kind: PtxType) -> Array:
    assert operand.bits is not None
    width = 64 if operand.bits > 0xFFFFFFFF or kind.bits == 64 else 32
    image = np.array(operand.bits, dtype=f"uint{width}").view(f"float{width}")
    return image.astype(kind.dtype).reshape(1, 1, 1) if width != kind.bits else image.reshape(1, 1, 1)
