"""What an input holds in a profile: a sample first, and beyond it more of the same kind, which never comes again."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from sandbox.device import Array
from sandbox.simulator.ptx.types import U8

_LOOKED_AT = 2048
_MANY = 0.99
_MOSTLY = 0.5
_AT_ONCE = 16
"""Pages that are drawn together: what they need on the way fits the cache."""

_KEPT_BITS = {4: 16, 8: 45}
"""Bits of a float's fraction that may be any, by its bytes; 7 of them, its sign and its exponent stay."""
_GOLDEN, _FIRST, _SECOND = (
    np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)


class InputData:
    """The contents of a buffer, page by page.

    The sample is its beginning. Beyond that, elements are drawn from it at random, so that no sequence comes twice;
    floats that are nearly all different get other low bits besides, so that no value does. What has an order, or is
    mostly one value (rows with a single 1), is the sample again.

    Args:
        sample: Flat.
        dtype: Of the buffer.
        seed: What is drawn follows from this.
    """

    def __init__(self, sample: Array, dtype: str, seed: int) -> None:
        self.sample = np.ascontiguousarray(sample).reshape(-1)
        self._floating = dtype in {"float32", "float64"}
        self._seed = np.uint64(seed & 0xFFFFFFFFFFFFFFFF)

    def pages(self, numbers: Array, size: int) -> Array:
        """Give pages of the buffer.

        Args:
            numbers: int64, from the buffer's first page on.
            size: Of a page, bytes.

        Returns:
            uint8, shape (pages, size).
        """
        drawn = (numbers + 1) * size > self.sample.nbytes
        drawn &= self._free
        all_drawn = bool(drawn.all())
        if all_drawn and len(numbers) <= _AT_ONCE:
            return self._drawn(numbers, size)
        result = np.empty((len(numbers), size), dtype=U8)
        if all_drawn:
            for start in range(0, len(numbers), _AT_ONCE):
                some = slice(start, start + _AT_ONCE)
                result[some] = self._drawn(numbers[some], size)
            return result
        if drawn.any():
            result[drawn] = self._drawn(numbers[drawn], size)
        tile = self._tile(size)
        for position in np.flatnonzero(~drawn).tolist():
            phase = int(numbers[position]) * size % self.sample.nbytes
            result[position] = tile[phase : phase + size]
        return result

    def _tile(self, size: int) -> Array:
        """The sample's bytes, and its first ones again, so that a page can start anywhere in it."""
        known = self.__dict__.get("_tiled")
        if known is None:
            data = self.sample.view(U8)
            known = self.__dict__["_tiled"] = np.concatenate([data, np.resize(data, size)])
        return known

    @cached_property
    def _free(self) -> bool:
        """Whether elements may be drawn in any order."""
        some = self._some
        ordered = bool((some[1:] >= some[:-1]).all() or (some[1:] <= some[:-1]).all())
        return not ordered and self._often.max(initial=0) <= _MOSTLY * len(some)

    @cached_property
    def _continuous(self) -> bool:
        """Whether values are nearly all different floats, and not whole numbers."""
        some = self._some
        return self._floating and len(self._often) > _MANY * len(some) and bool((np.rint(some) != some).any())

    @cached_property
    def _often(self) -> Array:
        """How often each value comes."""
        _, counts = np.unique(self._some, return_counts=True)
        return counts

    @property
    def _some(self) -> Array:
        bits = self.sample[:_LOOKED_AT]
        return bits if bits.dtype.kind in "fiub" else bits.view(f"uint{8 * bits.dtype.itemsize}")

    def _drawn(self, numbers: Array, size: int) -> Array:
        width = self.sample.itemsize
        first = (numbers * (size // width)).astype(np.uint64) * _GOLDEN + self._seed
        random = _mixed(self._steps(size // width) + first[:, None])
        chosen = random >> np.uint64(32)
        chosen *= np.uint64(self.sample.size)
        chosen >>= np.uint64(32)
        values: Array = self._words.take(chosen.view(np.int64))
        if self._continuous:
            random >>= self._shift
            low = random.astype(values.dtype)
            low &= self._low if self._low.ndim == 0 else self._low.take(chosen.view(np.int64))
            values ^= low
        return values.view(U8)

    @cached_property
    def _words(self) -> Array:
        return self.sample.view(f"uint{8 * self.sample.itemsize}")

    def _steps(self, count: int) -> Array:
        """What each place in a page adds to that of its first element."""
        known = self.__dict__.get("_stepped")
        if known is None:
            known = self.__dict__["_stepped"] = np.arange(count, dtype=np.uint64) * _GOLDEN
        return known

    @cached_property
    def _shift(self) -> np.uint64:
        return np.uint64(32 - min(_KEPT_BITS[self.sample.itemsize], 32))

    @cached_property
    def _low(self) -> Array:
        """Bits of the fraction that may be any; none where a number is zero, infinite or NaN."""
        width = self.sample.itemsize
        plain = self.sample.view(f"float{8 * width}")
        changes = np.isfinite(plain) & (plain != 0)
        bits = (1 << _KEPT_BITS[width]) - 1
        if changes.all():
            return np.array(bits, dtype=self._words.dtype)
        low = np.zeros(changes.shape, dtype=self._words.dtype)
        low[changes] = bits
        return low


def _mixed(numbers: Array) -> Array:
    """Bits that look random, the high ones above all, in place.

    SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) without its last step, which is for the low bits.
    """
    for shift, factor in ((30, _FIRST), (27, _SECOND)):
        np.bitwise_xor(numbers, numbers >> np.uint64(shift), out=numbers)
        np.multiply(numbers, factor, out=numbers)
    return numbers
