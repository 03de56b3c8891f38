"""Integer, bit and packed-integer instructions against Python's own integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

RNG = np.random.default_rng(11)
M32, M64 = 2**32 - 1, 2**64 - 1


def _awkward(bits: int, count: int = 160) -> np.ndarray:
    """Extremes, powers of two and their neighbours, bytes that saturate, random words; uint."""
    edges = [0, 1, 2, 3, 5, 7, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 0x7F80FF01, 0x80808080, 0x7F7F7F7F]
    edges += [value for k in range(7, bits, 8) for value in (2**k - 1, 2**k, 2**bits - 2**k)]
    edges += [
        2**bits - 1,
        2**bits - 2,
        0xAAAAAAAAAAAAAAAA & (2**bits - 1),
        0x00FF00FF00FF00FF & (2**bits - 1),
    ]
    edges = [edge & (2**bits - 1) for edge in edges]
    random = RNG.integers(0, 2**bits, count - len(edges), dtype=np.uint64)
    return np.concatenate([np.array(edges, np.uint64), random]).astype(f"uint{bits}")


X32, X64 = _awkward(32), _awkward(64)
Y32, Y64 = RNG.permutation(X32), RNG.permutation(X64)
Z32 = RNG.permutation(X32)


def s(value: int, bits: int = 32) -> int:
    """The low bits as a signed number."""
    value &= (1 << bits) - 1
    return value - (value >> (bits - 1) << bits)


def _clamp(value: int, bits: int, signed: bool) -> int:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return max(low, min(high, value))


def _truncated(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _reverse(value: int, bits: int) -> int:
    return int(f"{value:0{bits}b}"[::-1], 2)


def _perm(a: int, b: int, selector: int) -> int:
    data = (b << 32 | a).to_bytes(8, "little")
    return int.from_bytes(bytes(data[selector >> 4 * k & 7] for k in range(4)), "little")


def _fns(mask: int, base: int, offset: int) -> int:
    """The CUDA guide's __fns: the offset-th set bit at or beyond base; up for positive, down for negative."""
    if offset == 0:
        return base if mask >> base & 1 else M32
    positions = range(base, 32) if offset > 0 else range(base, -1, -1)
    found = [p for p in positions if mask >> p & 1]
    return found[abs(offset) - 1] if len(found) >= abs(offset) else M32


def _parts(value: int, bits: int, signed: bool) -> list[int]:
    parts = [value >> k & ((1 << bits) - 1) for k in range(0, 32, bits)]
    return [s(part, bits) for part in parts] if signed else parts


def _dot(a: int, b: int, ways: int, signs: tuple[bool, bool], first: int = 0) -> int:
    left = _parts(a, 32 // ways, signs[0])
    return sum(p * q for p, q in zip(left, _parts(b, 8, signs[1])[first:], strict=False))


WORDS: dict[str, Callable[[int, int, int], int]] = {
    "x + y": lambda x, y, z: x + y,
    "x - y": lambda x, y, z: x - y,
    "x * y + z": lambda x, y, z: x * y + z,
    "__umulhi(x, y)": lambda x, y, z: x * y >> 32,
    "__umulhi(x, y) + z": lambda x, y, z: (x * y >> 32) + z,
    "(unsigned)__mulhi((int)x, (int)y)": lambda x, y, z: s(x) * s(y) >> 32,
    "(unsigned)(__mulhi((int)x, (int)y) + (int)z)": lambda x, y, z: (s(x) * s(y) >> 32) + s(z),
    "__umul24(x, y)": lambda x, y, z: (x & 0xFFFFFF) * (y & 0xFFFFFF),
    "(unsigned)__mul24((int)x, (int)y)": lambda x, y, z: s(x, 24) * s(y, 24),
    "__umul24(x, y) + z": lambda x, y, z: (x & 0xFFFFFF) * (y & 0xFFFFFF) + z,
    "__usad(x, y, z)": lambda x, y, z: abs(x - y) + z,
    "__sad((int)x, (int)y, z)": lambda x, y, z: abs(s(x) - s(y)) + z,
    "x / (y | 1)": lambda x, y, z: x // (y | 1),
    "x % (y | 1)": lambda x, y, z: x % (y | 1),
    "x / 7 + x % 10": lambda x, y, z: x // 7 + x % 10,
    "(unsigned)((int)x / ((int)(y & 0x7fff) | 1))": lambda x, y, z: _truncated(s(x), y & 0x7FFF | 1),
    "(unsigned)((int)x % -((int)(y & 0x7fff) | 1))": lambda x, y, z: s(x) - _truncated(s(x), -(y & 0x7FFF | 1)) * -(y & 0x7FFF | 1),
    "(unsigned)abs((int)x)": lambda x, y, z: abs(s(x)),
    "(unsigned)-(int)x": lambda x, y, z: -x,
    "(unsigned)min((int)x, (int)y)": lambda x, y, z: min(s(x), s(y)),
    "(unsigned)max((int)x, (int)y)": lambda x, y, z: max(s(x), s(y)),
    "min(x, y) * 3 + max(x, z)": lambda x, y, z: min(x, y) * 3 + max(x, z),
    "__popc(x)": lambda x, y, z: x.bit_count(),
    "__clz((int)x)": lambda x, y, z: 32 - x.bit_length(),
    "__ffs((int)x)": lambda x, y, z: (x & -x).bit_length(),
    "__brev(x)": lambda x, y, z: _reverse(x, 32),
    "__byte_perm(x, y, z)": lambda x, y, z: _perm(x, y, z),
    "__byte_perm(x, 0, 0x0123)": lambda x, y, z: int.from_bytes(x.to_bytes(4, "big"), "little"),
    "__nv_bswap32(x)": lambda x, y, z: int.from_bytes(x.to_bytes(4, "big"), "little"),
    "__nv_bswap16((unsigned short)x)": lambda x, y, z: (x & 255) << 8 | x >> 8 & 255,
    "__funnelshift_l(x, y, z)": lambda x, y, z: (y << 32 | x) << (z & 31) >> 32,
    "__funnelshift_lc(x, y, z)": lambda x, y, z: (y << 32 | x) << min(z, 32) >> 32,
    "__funnelshift_r(x, y, z)": lambda x, y, z: (y << 32 | x) >> (z & 31),
    "__funnelshift_rc(x, y, z)": lambda x, y, z: (y << 32 | x) >> min(z, 32),
    "x << (z & 31)": lambda x, y, z: x << (z & 31),
    "(unsigned)((int)x >> (z & 31))": lambda x, y, z: s(x) >> (z & 31),
    "(x & y) ^ (~y | z)": lambda x, y, z: (x & y) ^ (~y | z),
    "(x ^ y) & ~z": lambda x, y, z: (x ^ y) & ~z,
    "(x >> 9 & 0x1fff) + (y << 3 >> 20)": lambda x, y, z: (x >> 9 & 0x1FFF) + ((y << 3 & M32) >> 20),
    "(unsigned)((int)(x << 5) >> 19)": lambda x, y, z: s(x << 5) >> 19,
    "__fns(x, y & 31, (int)(z % 11) - 5)": lambda x, y, z: _fns(x, y & 31, z % 11 - 5),
    "__uhadd(x, y) + __urhadd(y, z)": lambda x, y, z: (x + y >> 1) + (y + z + 1 >> 1),
    "(unsigned)__hadd((int)x, (int)y) * 5 + (unsigned)__rhadd((int)y, (int)z)": lambda x, y, z: (s(x) + s(y) >> 1) * 5 + (s(y) + s(z) + 1 >> 1),
    "(unsigned)__dp4a((int)x, (int)y, (int)z)": lambda x, y, z: _dot(x, y, 4, (True, True)) + z,
    "__dp4a(x, y, z)": lambda x, y, z: _dot(x, y, 4, (False, False)) + z,
    "(unsigned)__dp2a_lo((int)x, (int)y, (int)z)": lambda x, y, z: _dot(x, y, 2, (True, True)) + z,
    "__dp2a_hi(x, y, z)": lambda x, y, z: _dot(x, y, 2, (False, False), 2) + z,
    "(unsigned)__dp2a_hi((int)x, (int)y, (int)z)": lambda x, y, z: _dot(x, y, 2, (True, True), 2) + z,
    "__dp2a_lo(x, y, z)": lambda x, y, z: _dot(x, y, 2, (False, False)) + z,
    "__viaddmax_s32((int)x, (int)y, (int)z)": lambda x, y, z: max(s(x + y), s(z)),
    "__vimin3_u32(x, y, z)": lambda x, y, z: min(x, y, z),
    "__vimax3_s32_relu((int)x, (int)y, (int)z)": lambda x, y, z: max(s(x), s(y), s(z), 0),
    "(unsigned char)x * (signed char)y": lambda x, y, z: (x & 255) * s(y, 8),
    "(unsigned short)x - (short)y": lambda x, y, z: (x & 0xFFFF) - s(y, 16),
    "(unsigned)(bool)(x & 6) + !y + (x && z)": lambda x, y, z: bool(x & 6) + (not y) + bool(x and z),
    "(x < y) + ((int)x < (int)y) * 2 + (x == z) * 4 + (x >= z) * 8": lambda x, y, z: (x < y) + (s(x) < s(y)) * 2 + (x == z) * 4 + (x >= z) * 8,
}  # fmt: skip


def _ints(*arrays: np.ndarray) -> list[tuple[int, ...]]:
    return list(zip(*(array.tolist() for array in arrays), strict=True))


@pytest.mark.parametrize("architecture", ["sm_75", "sm_90"])
def test_words_wrap_shift_and_count_as_python_integers_do(evaluate, architecture):
    operands = {"x": ("unsigned", X32), "y": ("unsigned", Y32), "z": ("unsigned", Z32)}
    got = evaluate(dict.fromkeys(WORDS, "unsigned"), operands, architecture)
    for text, python in WORDS.items():
        assert got[text].tolist() == [python(*v) & M32 for v in _ints(X32, Y32, Z32)], text


LONGS: dict[str, Callable[[int, int], int]] = {
    "x + y": lambda x, y: x + y,
    "x * y - x": lambda x, y: x * y - x,
    "__umul64hi(x, y)": lambda x, y: x * y >> 64,
    "__mul64hi((long long)x, (long long)y)": lambda x, y: s(x, 64) * s(y, 64) >> 64,
    "x / (y | 1)": lambda x, y: x // (y | 1),
    "x % (y | 1)": lambda x, y: x % (y | 1),
    "(long long)x / ((long long)y | 1)": lambda x, y: _truncated(s(x, 64), s(y, 64) | 1),
    "(long long)x % 1000003": lambda x, y: s(x, 64) - _truncated(s(x, 64), 1000003) * 1000003,
    "__popcll(x)": lambda x, y: x.bit_count(),
    "__clzll((long long)x)": lambda x, y: 64 - x.bit_length(),
    "__ffsll((long long)x)": lambda x, y: (x & -x).bit_length(),
    "__brevll(x)": lambda x, y: _reverse(x, 64),
    "__nv_bswap64(x)": lambda x, y: int.from_bytes(x.to_bytes(8, "big"), "little"),
    "x << (y & 63) | x >> (64 - (y & 63) & 63)": lambda x, y: x << (y & 63) | x >> (-y & 63),
    "(long long)x >> (y & 63)": lambda x, y: s(x, 64) >> (y & 63),
    "llabs((long long)x)": lambda x, y: abs(s(x, 64)),
    "llmin((long long)x, (long long)y) ^ ullmax(x, y)": lambda x, y: min(s(x, 64), s(y, 64)) ^ max(x, y),
    "(unsigned long long)(unsigned)x * (unsigned)y + y": lambda x, y: (x & M32) * (y & M32) + y,
    "(long long)(int)x * (int)y": lambda x, y: s(x) * s(y),
    "(unsigned long long)((unsigned __int128)x * y >> 32)": lambda x, y: x * y >> 32,
    "(unsigned long long)(((unsigned __int128)x << 64 | y) / (y | 3))": lambda x, y: (x << 64 | y) // (y | 3),
    "(unsigned long long)(((unsigned __int128)x << 64 | y) % (x | 3))": lambda x, y: (x << 64 | y) % (x | 3),
    "(unsigned long long)(((__int128)(long long)x * (long long)y - (__int128)y) >> 60)": lambda x, y: s(x, 64) * s(y, 64) - y >> 60,
    "(unsigned long long)(((unsigned __int128)x << (y & 127)) >> 64)": lambda x, y: ((x << (y & 127)) & (1 << 128) - 1) >> 64,
    "(__int128)(long long)x * 3 < (__int128)(long long)y": lambda x, y: s(x, 64) * 3 < s(y, 64),
    "(x < y) + 2 * ((long long)x <= (long long)y) + 4 * (x != y)": lambda x, y: (x < y) + 2 * (s(x, 64) <= s(y, 64)) + 4 * (x != y),
}  # fmt: skip


def test_longs_and_128_bit_integers_carry(evaluate):
    got = evaluate(
        dict.fromkeys(LONGS, "unsigned long long"),
        {"x": ("unsigned long long", X64), "y": ("unsigned long long", Y64)},
    )
    for text, python in LONGS.items():
        assert got[text].tolist() == [python(*v) & M64 for v in _ints(X64, Y64)], text


def _simd(bits: int, signed: bool, part: Callable[..., int]) -> Callable[..., int]:
    """A function of parts as one of words: each result in its own field."""

    def whole(*words: int) -> int:
        fields = zip(*(_parts(word, bits, signed) for word in words), strict=True)
        return sum((part(*field) & (1 << bits) - 1) << bits * k for k, field in enumerate(fields))

    return whole


def _sum(bits: int, signed: bool, part: Callable[..., int]) -> Callable[..., int]:
    return lambda *words: sum(
        part(*field) for field in zip(*(_parts(w, bits, signed) for w in words), strict=True)
    )


def _packed() -> dict[str, Callable[..., int]]:
    """The SIMD intrinsics of the CUDA Math API for two halves and four bytes."""
    table: dict[str, Callable[..., int]] = {}
    for n, bits in ((2, 16), (4, 8)):
        ones = (1 << bits) - 1
        unsigned: dict[str, Callable[..., int]] = {
            f"__vadd{n}": lambda a, b: a + b, f"__vsub{n}": lambda a, b: a - b,
            f"__vaddus{n}": lambda a, b, k=bits: _clamp(a + b, k, False), f"__vsubus{n}": lambda a, b, k=bits: _clamp(a - b, k, False),
            f"__vavgu{n}": lambda a, b: (a + b + 1) >> 1, f"__vhaddu{n}": lambda a, b: (a + b) >> 1,
            f"__vabsdiffu{n}": lambda a, b: abs(a - b), f"__vmaxu{n}": max, f"__vminu{n}": min,
            f"__vcmpeq{n}": lambda a, b, k=ones: k * (a == b), f"__vcmpne{n}": lambda a, b, k=ones: k * (a != b),
            f"__vcmpgeu{n}": lambda a, b, k=ones: k * (a >= b), f"__vcmpgtu{n}": lambda a, b, k=ones: k * (a > b),
            f"__vcmpleu{n}": lambda a, b, k=ones: k * (a <= b), f"__vcmpltu{n}": lambda a, b, k=ones: k * (a < b),
            f"__vseteq{n}": lambda a, b: a == b, f"__vsetne{n}": lambda a, b: a != b, f"__vsetgeu{n}": lambda a, b: a >= b,
            f"__vsetgtu{n}": lambda a, b: a > b, f"__vsetleu{n}": lambda a, b: a <= b, f"__vsetltu{n}": lambda a, b: a < b,
        }  # fmt: skip
        signed: dict[str, Callable[..., int]] = {
            f"__vaddss{n}": lambda a, b, k=bits: _clamp(a + b, k, True), f"__vsubss{n}": lambda a, b, k=bits: _clamp(a - b, k, True),
            f"__vavgs{n}": lambda a, b: (a + b + (a + b >= 0)) >> 1,
            f"__vabsdiffs{n}": lambda a, b: abs(a - b), f"__vmaxs{n}": max, f"__vmins{n}": min,
            f"__vcmpges{n}": lambda a, b, k=ones: k * (a >= b), f"__vcmpgts{n}": lambda a, b, k=ones: k * (a > b),
            f"__vcmples{n}": lambda a, b, k=ones: k * (a <= b), f"__vcmplts{n}": lambda a, b, k=ones: k * (a < b),
            f"__vsetges{n}": lambda a, b: a >= b, f"__vsetgts{n}": lambda a, b: a > b,
            f"__vsetles{n}": lambda a, b: a <= b, f"__vsetlts{n}": lambda a, b: a < b,
        }  # fmt: skip
        alone: dict[str, Callable[..., int]] = {
            f"__vabs{n}": abs, f"__vabsss{n}": lambda a, k=bits: _clamp(abs(a), k, True),
            f"__vneg{n}": lambda a: -a, f"__vnegss{n}": lambda a, k=bits: _clamp(-a, k, True),
        }  # fmt: skip
        table |= {f"{name}(x, y)": _simd(bits, False, part) for name, part in unsigned.items()}
        table |= {f"{name}(x, y)": _simd(bits, True, part) for name, part in signed.items()}
        table |= {f"{name}(x)": _simd(bits, True, part) for name, part in alone.items()}
        table[f"__vsads{n}(x, y)"] = _sum(bits, True, lambda a, b: abs(a - b))
        table[f"__vsadu{n}(x, y)"] = _sum(bits, False, lambda a, b: abs(a - b))
    three: dict[str, Callable[..., int]] = {
        "__vimax3_s16x2": max, "__vimin3_s16x2": min,
        "__vimax_s16x2_relu": lambda a, b: max(a, b, 0), "__vimax3_s16x2_relu": lambda a, b, c: max(a, b, c, 0),
        "__viaddmax_s16x2": lambda a, b, c: max(s(a + b, 16), c), "__viaddmin_s16x2_relu": lambda a, b, c: max(min(s(a + b, 16), c), 0),
    }  # fmt: skip
    for name, part in three.items():
        table[f"{name}({'x, y' if name == '__vimax_s16x2_relu' else 'x, y, z'})"] = _simd(16, True, part)
    table["__viaddmax_u16x2(x, y, z)"] = _simd(16, False, lambda a, b, c: max(a + b & 0xFFFF, c))
    table["__vimin3_u16x2(x, y, z)"] = _simd(16, False, min)
    return table


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_packed_integer_intrinsics_work_on_every_field_alone(evaluate, architecture):
    table = _packed()
    operands = {"x": ("unsigned", X32), "y": ("unsigned", Y32), "z": ("unsigned", Z32)}
    got = evaluate(dict.fromkeys(table, "unsigned"), operands, architecture)
    values: list[Any] = _ints(X32, Y32, Z32)
    for text, python in table.items():
        count = text.count(",") + 1
        assert got[text].tolist() == [python(*v[:count]) & M32 for v in values], text
