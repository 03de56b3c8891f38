"""What an input holds in a profile: a sample first, and beyond it more of the same kind, which never comes again."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from sandbox.device import Array
from sandbox.simulator.ptx.types import U8

_LOOKED_AT = 2048
_AT_ONCE = 32
"""Pages that are drawn at once: few enough for what lies between to stay in a core's cache."""
_MANY = 0.99
_MOSTLY = 0.5
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
        result = np.empty((len(numbers), size), dtype=U8)
        inside = (numbers + 1) * size <= self.sample.nbytes
        drawn = ~inside & self._free
        places = np.flatnonzero(drawn)
        for start in range(0, len(places), _AT_ONCE):
            some = places[start : start + _AT_ONCE]
            result[some] = self._drawn(numbers[some], size)
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
        _, counts = np.unique(some, return_counts=True)
        ordered = bool((some[1:] >= some[:-1]).all() or (some[1:] <= some[:-1]).all())
        return not ordered and counts.max(initial=0) <= _MOSTLY * len(some)

    @cached_property
    def _continuous(self) -> bool:
        """Whether values are nearly all different floats, and not whole numbers."""
        some = self._some
        return (
            self._floating
            and len(np.unique(some)) > _MANY * len(some)
            and bool((np.rint(some) != some).any())
        )

    @property
    def _some(self) -> Array:
        bits = self.sample[:_LOOKED_AT]
        return bits if bits.dtype.kind in "fiub" else bits.view(f"uint{8 * bits.dtype.itemsize}")

    def _drawn(self, numbers: Array, size: int) -> Array:
        width = self.sample.itemsize
        words = self.sample.view(f"uint{8 * width}")
        places = (
            np.arange(size // width, dtype=np.uint64) + (numbers.astype(np.uint64) * size // width)[:, None]
        )
        random = _mixed(places * _GOLDEN ^ self._seed)
        chosen = ((random >> np.uint64(32)) * np.uint64(len(words))) >> np.uint64(32)
        values = words[chosen.astype(np.int64)]
        if self._continuous:
            values = self._varied(values, random)
        return np.ascontiguousarray(values).view(U8)

    def _varied(self, words: Array, random: Array) -> Array:
        """Other low bits of the fraction, where a number is neither zero nor infinite nor NaN."""
        width = words.itemsize
        bits = _KEPT_BITS[width]
        low = ((random << np.uint64(bits - min(bits, 32))) & np.uint64((1 << bits) - 1)).astype(words.dtype)
        plain = words.view(f"float{8 * width}")
        changes = np.isfinite(plain) & (plain != 0)
        return np.where(changes, words ^ low, words)


def _mixed(numbers: Array) -> Array:
    """Bits that look random (SplitMix64's finalizer; Steele, Lea and Flood, OOPSLA 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * _FIRST
    numbers = (numbers ^ (numbers >> np.uint64(27))) * _SECOND
    return numbers ^ (numbers >> np.uint64(31))
