"""Logic, shifts and bit fields (PTX ISA 9.0, sections 9.7.1.14 to 9.7.1.22 and 9.7.8)."""

# Formulas are lambdas of one to four arrays behind one `Callable[..., Array]`: their parameters carry no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Formula, Modifiers, formula, same
from sandbox.simulator.ptx.types import TYPES, PtxType

_U32 = TYPES["u32"]


def _logic(
    m: Modifiers, function: Callable[..., Array], logical: Callable[..., Array], count: int = 2
) -> Formula:
    kind = m.type
    return same(kind, count, logical if kind.name == "pred" else function)


@formula("and", "9.7.8.1")
def and_(m: Modifiers) -> Formula:
    """Bitwise and."""
    return _logic(m, np.bitwise_and, np.logical_and)


@formula("or", "9.7.8.2")
def or_(m: Modifiers) -> Formula:
    """Bitwise or."""
    return _logic(m, np.bitwise_or, np.logical_or)


@formula("xor", "9.7.8.3")
def xor(m: Modifiers) -> Formula:
    """Bitwise exclusive or."""
    return _logic(m, np.bitwise_xor, np.logical_xor)


@formula("not", "9.7.8.4")
def not_(m: Modifiers) -> Formula:
    """One's complement."""
    return _logic(m, np.invert, np.logical_not, 1)


@formula("cnot", "9.7.8.5")
def cnot(m: Modifiers) -> Formula:
    """One where a is zero, else zero."""
    return same(m.type, 1, lambda a: (a == 0).astype(a.dtype))


@formula("lop3", "9.7.8.6")
def lop3(m: Modifiers) -> Formula:
    """Any function of three inputs, given by its truth table."""

    def table(a: Array, b: Array, c: Array, which: Array) -> Array:
        code = int(which.flat[0])
        result = np.zeros((1, 1, 1), dtype=np.uint32)
        for minterm in range(8):
            if code >> minterm & 1:
                x = a if minterm & 4 else ~a
                y = b if minterm & 2 else ~b
                z = c if minterm & 1 else ~c
                result = result | (x & y & z)
        return result

    return Formula((_U32,) * 4, _U32, table)


def _unsigned(kind: PtxType) -> PtxType:
    return TYPES[f"u{kind.bits}"]


@formula("shl", "9.7.8.8")
def shl(m: Modifiers) -> Formula:
    """Shift left; amounts past the width give 0."""
    kind = _unsigned(m.type)
    limit = np.uint32(kind.bits)
    return Formula((kind, _U32), kind, lambda a, b: a << np.minimum(b, limit).astype(kind.dtype))


@formula("shr", "9.7.8.9")
def shr(m: Modifiers) -> Formula:
    """Shift right, arithmetic for signed types; amounts past the width fill with the sign."""
    kind = m.type if m.type.is_signed else _unsigned(m.type)
    limit = np.uint32(kind.bits - 1 if kind.is_signed else kind.bits)
    return Formula((kind, _U32), kind, lambda a, b: a >> np.minimum(b, limit).astype(kind.dtype))


@formula("shf", "9.7.8.7")
def shf(m: Modifiers) -> Formula:
    """Funnel shift of the 64-bit value b:a."""
    clamp = "clamp" in m

    def funnel(a: Array, b: Array, c: Array) -> Array:
        amount = (np.minimum(c, np.uint32(32)) if clamp else c & np.uint32(31)).astype(np.uint64)
        both = b.astype(np.uint64) << np.uint64(32) | a
        if "l" in m:
            return (both << amount >> np.uint64(32)).astype(np.uint32)
        return (both >> amount).astype(np.uint32)

    return Formula((_U32,) * 3, _U32, funnel)


@formula("popc", "9.7.1.14")
def popc(m: Modifiers) -> Formula:
    """Number of one bits."""
    kind = _unsigned(m.type)
    return Formula((kind,), _U32, lambda a: np.bitwise_count(a).astype(np.uint32))


def leading_zeros(value: Array, bits: int) -> Array:
    """Zeros above the highest one bit, uint32; `bits` for 0."""
    count = np.zeros(value.shape, dtype=np.uint32)
    rest = value
    for width in (32, 16, 8, 4, 2, 1):
        if width >= bits:
            continue
        high = rest >> value.dtype.type(width)
        found = high != 0
        count = count + np.where(found, np.uint32(width), np.uint32(0))
        rest = np.where(found, high, rest)
    return np.where(value == 0, np.uint32(bits), np.uint32(bits - 1) - count)


@formula("clz", "9.7.1.15")
def clz(m: Modifiers) -> Formula:
    """Leading zeros."""
    kind = _unsigned(m.type)
    return Formula((kind,), _U32, lambda a: leading_zeros(a, kind.bits))


@formula("bfind", "9.7.1.16")
def bfind(m: Modifiers) -> Formula:
    """Position of the highest significant bit; all ones where there is none."""
    kind = m.type
    unsigned = _unsigned(kind).dtype

    def find(a: Array) -> Array:
        bits = np.where(a < 0, ~a, a).view(unsigned) if kind.is_signed else a
        zeros = leading_zeros(bits, kind.bits)
        position = zeros if "shiftamt" in m else np.uint32(kind.bits - 1) - zeros
        return np.where(bits == 0, np.uint32(0xFFFFFFFF), position)

    return Formula((kind,), _U32, find)


@formula("fns", "9.7.1.17")
def fns(m: Modifiers) -> Formula:
    """Find the n-th set bit from a base, upward or downward; all ones where there is none."""

    def find(mask: Array, base: Array, offset: Array) -> Array:
        position, wanted = base.astype(np.int64), np.maximum(np.abs(offset.astype(np.int64)), 1)
        step = np.where(offset < 0, -1, 1)
        result = np.full((1, 1, 1), 0xFFFFFFFF, np.uint32)
        for turn in range(32):
            inside = (position >= 0) & (position < 32) & ((offset != 0) | (turn == 0))
            bit = mask >> np.clip(position, 0, 31).astype(np.uint32) & np.uint32(1)
            wanted = wanted - (inside & (bit != 0))
            found = inside & (bit != 0) & (wanted == 0)
            result = np.where(found, position.astype(np.uint32), result)
            position = position + step
        return result

    return Formula((_U32, _U32, TYPES["s32"]), _U32, find)


@formula("brev", "9.7.1.18")
def brev(m: Modifiers) -> Formula:
    """Bits in reverse order."""
    kind = _unsigned(m.type)
    masks = {1: 0x5555555555555555, 2: 0x3333333333333333, 4: 0x0F0F0F0F0F0F0F0F}
    masks |= {8: 0x00FF00FF00FF00FF, 16: 0x0000FFFF0000FFFF, 32: 0x00000000FFFFFFFF}

    def reverse(a: Array) -> Array:
        for width, mask in masks.items():
            if width < kind.bits:
                keep = kind.dtype.type(mask & ((1 << kind.bits) - 1))
                shift = kind.dtype.type(width)
                a = (a >> shift & keep) | ((a & keep) << shift)
        return a

    return same(kind, 1, reverse)


@formula("bfe", "9.7.1.19")
def bfe(m: Modifiers) -> Formula:
    """Extract a bit field, sign extended for signed types."""
    kind = m.type
    unsigned = _unsigned(kind).dtype

    def extract(a: Array, position: Array, length: Array) -> Array:
        start = (position & np.uint32(0xFF)).astype(np.int64)
        count = np.minimum((length & np.uint32(0xFF)).astype(np.int64), kind.bits)
        shifted = np.where(start < kind.bits, a.view(unsigned) >> start.astype(unsigned), unsigned.type(0))
        available = np.clip(np.minimum(count, kind.bits - start), 0, kind.bits)
        ones = _ones(available, unsigned.type)
        field = shifted & ones
        if not kind.is_signed:
            return field
        top = np.minimum(start + count - 1, kind.bits - 1)
        sign = (a.view(unsigned) >> np.maximum(top, 0).astype(unsigned) & unsigned.type(1)) != 0
        sign = sign & (count > 0)
        return np.where(sign, field | ~ones, field).view(kind.dtype)

    return Formula((kind, _U32, _U32), kind, extract)


def _ones(count: Array, unsigned: Callable[[int], np.unsignedinteger]) -> Array:  # pyright: ignore[reportMissingTypeArgument]
    """`count` low one bits; numpy defines a shift by the full width as 0."""
    one = unsigned(1)
    return (one << count.astype(one.dtype)) - one


@formula("bfi", "9.7.1.20")
def bfi(m: Modifiers) -> Formula:
    """Insert the low bits of a into b."""
    kind = _unsigned(m.type)

    def insert(a: Array, b: Array, position: Array, length: Array) -> Array:
        start = (position & np.uint32(0xFF)).astype(kind.dtype)
        count = np.minimum((length & np.uint32(0xFF)).astype(np.int64), kind.bits)
        mask = _ones(count, kind.dtype.type) << start
        return (b & ~mask) | (a << start & mask)

    return Formula((kind, kind, _U32, _U32), kind, insert)


@formula("bmsk", "9.7.1.22")
def bmsk(m: Modifiers) -> Formula:
    """A mask of b bits starting at bit a."""
    wrap = "wrap" in m

    def mask(a: Array, b: Array) -> Array:
        start, count = (a & np.uint32(31), b & np.uint32(31)) if wrap else (a, np.minimum(b, np.uint32(32)))
        return (
            _ones(count.astype(np.int64), np.uint64) << np.minimum(start, np.uint32(32)).astype(np.uint64)
        ).astype(np.uint32)

    return Formula((_U32, _U32), _U32, mask)


@formula("szext", "9.7.1.21")
def szext(m: Modifiers) -> Formula:
    """Sign or zero extend from bit b."""
    kind = m.type

    def extend(a: Array, b: Array) -> Array:
        count = np.minimum(b, np.uint32(32)).astype(np.int64)
        wide = a.astype(np.int64) & ((np.int64(1) << count) - 1)
        if kind.is_signed:
            sign = np.where(count > 0, wide >> np.maximum(count - 1, 0) & 1, 0)
            wide = wide - (sign << count)
        return wide.astype(kind.dtype)

    return Formula((kind, _U32), kind, extend)


@formula("prmt", "9.7.9.7")
def prmt(m: Modifiers) -> Formula:
    """Pick four bytes of b:a by the nibbles of the selector; bit 3 of a nibble replicates the sign."""
    if set(m.parts) & {"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"}:
        return Formula((_U32,) * 3, _U32, lambda a, b, c: _pick(a, b, _mode_selector(m, c)))
    return Formula((_U32,) * 3, _U32, _pick)


def _pick(a: Array, b: Array, selector: Array) -> Array:
    both = b.astype(np.uint64) << np.uint64(32) | a
    result = np.zeros((1, 1, 1), dtype=np.uint32)
    for i in range(4):
        nibble = selector >> np.uint32(4 * i) & np.uint32(0xF)
        byte = (both >> ((nibble & np.uint32(7)).astype(np.uint64) * np.uint64(8)) & np.uint64(0xFF)).astype(
            np.uint32
        )
        sign = np.where(byte & np.uint32(0x80), np.uint32(0xFF), np.uint32(0))
        result = result | np.where(nibble & np.uint32(8), sign, byte) << np.uint32(8 * i)
    return result


_MODES = {
    "f4e": (0x3210, 0x4321, 0x5432, 0x6543),
    "b4e": (0x5670, 0x6701, 0x7012, 0x0123),
    "rc8": (0x0000, 0x1111, 0x2222, 0x3333),
    "ecl": (0x3210, 0x3211, 0x3222, 0x3333),
    "ecr": (0x0000, 0x1110, 0x2210, 0x3210),
    "rc16": (0x1010, 0x3232, 0x1010, 0x3232),
}


def _mode_selector(m: Modifiers, c: Array) -> Array:
    mode = next(part for part in m.parts if part in _MODES)
    return np.array(_MODES[mode], dtype=np.uint32)[c & np.uint32(3)]
