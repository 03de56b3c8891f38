"""Families of values: each is what some family of mistakes cannot survive.

- `uniform(low, high)`: floats, evenly spread. The plain case.
- `normal(mean, deviation)`: floats, bell-shaped. A large mean with a small deviation catches cancellation.
- `integers(low, high)`: whole numbers, both ends included, in any dtype. Small ones make sums exact in
  floating point too, so an answer that is off by one element is off by a lot more than rounding.
- `constant(value)`: one value everywhere, `inf`, `-inf` and `nan` too. Catches wrong counts: a sum becomes size times
  value.
- `permutation()`: 0 to size - 1, shuffled. Each value names its element, so a wrong index shows.
- `ties(count)`: only `count` different values, consecutive whole numbers around 0. Catches maxima, sorts and
  selections that assume distinct values.
- `one_hot()`: zeros and a single 1 in each row: at the first, the last or a random position. Catches
  the edges of tiles and tails that are dropped.
- `large()` or `large(scale)`: floats of both signs up to `scale` (10000). `exp` overflows unless the maximum
  is subtracted. Integers: the upper half of the dtype's range, both signs where it has signs.
- `tiny()`: the smallest normal floats, both signs, up to 1024 times the least. Products underflow.
- `denormal()`: floats below the smallest normal one, both signs. Catches flushing to zero.
- `mixed()` or `mixed(decades)`: floats of both signs over `decades` (3) powers of ten either side of 1.
  Catches lost small terms and sums in a bad order.
- `spikes(mean, deviation)`: bell-shaped floats, and among them some that are 2000 to 8000 deviations away (250 to
  1000 in half precision): in the first row, the last and one in eight, at either end and anywhere, those of a row
  to one side. Dropping some shows in a sum of many millions.
- `extremes(low, high)`: whole numbers, the three at either end of the range. Neighbours beyond 2**24 are ties in
  float32; sums overflow.
- `specials()`: bell-shaped floats, and among them a NaN, both infinities and a negative zero, once in about sixteen.
  For tasks whose reference says what becomes of them; only `constant` may make some too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.dtypes import FLOATS
from tools.tasks.errors import GeneratorError

Array = np.ndarray[Any, Any]
Number = int | float


@dataclass(frozen=True)
class Filling:
    """An array to be filled: its shape and dtype, and the stream of random numbers it is filled from."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    name: str
    rng: np.random.Generator

    @property
    def floating(self) -> bool:
        """Whether the dtype is a floating point one."""
        return "float" in self.name

    def signs(self) -> Array:
        """Draw -1.0 or 1.0 for each element."""
        return self.rng.integers(0, 2, self.shape) * 2.0 - 1.0


def rounded(values: Array, filling: Filling) -> Array:
    """Round into the dtype; what is finite and lies outside its range becomes its nearest finite value."""
    if not filling.floating:
        return values.astype(filling.dtype)
    largest = FLOATS[filling.name].largest
    if values.size and -largest <= values.min() and values.max() <= largest:
        return values.astype(filling.dtype)
    clipped = np.where(np.isinf(values), values, np.clip(values, -largest, largest))
    return clipped.astype(filling.dtype)


def _floats_only(filling: Filling, name: str) -> None:
    if not filling.floating:
        raise GeneratorError(
            f"`{name}` makes floating point values; expected another generator for {filling.name}"
        )


def _range(filling: Filling) -> tuple[int, int]:
    """The whole numbers that an integer dtype holds."""
    if filling.name == "bool":
        return 0, 1
    info = np.iinfo(filling.dtype)
    return int(info.min), int(info.max)


def _uniform(filling: Filling, low: Number, high: Number) -> Array:
    _floats_only(filling, "uniform")
    if low > high:
        raise GeneratorError(f"uniform: expected low <= high, found {low} and {high}")
    return filling.rng.uniform(low, high, filling.shape)


def _normal(filling: Filling, mean: Number, deviation: Number) -> Array:
    _floats_only(filling, "normal")
    if deviation < 0:
        raise GeneratorError(f"normal: expected a deviation of at least 0, found {deviation}")
    return filling.rng.normal(mean, deviation, filling.shape)


def _integers(filling: Filling, low: Number, high: Number) -> Array:
    if not isinstance(low, int) or not isinstance(high, int) or low > high:
        raise GeneratorError(f"integers: expected whole low <= high, found {low} and {high}")
    least, most = (-(2**53), 2**53) if filling.floating else _range(filling)
    if low < least or high > most:
        raise GeneratorError(
            f"integers: expected {least} to {most} for {filling.name}, found {low} and {high}"
        )
    kind = np.uint64 if high > 2**63 - 1 else np.int64
    return filling.rng.integers(low, high, filling.shape, dtype=kind, endpoint=True)


def _constant(filling: Filling, value: Number) -> Array:
    if not filling.floating:
        least, most = _range(filling)
        if not math.isfinite(value) or value != int(value) or not least <= value <= most:
            raise GeneratorError(f"constant: expected a whole {filling.name}, found {value}")
        return np.full(filling.shape, int(value), filling.dtype)
    return np.full(filling.shape, float(value))


def _permutation(filling: Filling) -> Array:
    size = math.prod(filling.shape)
    if not filling.floating and size - 1 > _range(filling)[1]:
        raise GeneratorError(f"permutation: expected a dtype that holds {size - 1}, found {filling.name}")
    return filling.rng.permutation(size).reshape(filling.shape)


def _ties(filling: Filling, count: Number) -> Array:
    if not isinstance(count, int) or not 1 <= count <= 1000:
        raise GeneratorError(f"ties: expected a whole count from 1 to 1000, found {count}")
    least = 0 if not filling.floating and _range(filling)[0] == 0 else -(count // 2)
    return _integers(filling, least, least + count - 1)


def _one_hot(filling: Filling) -> Array:
    shape = filling.shape or (1,)
    values = np.zeros(shape)
    rows = values.reshape(-1, shape[-1])
    anywhere = filling.rng.integers(0, shape[-1], len(rows))
    edge = (np.arange(len(rows)) + filling.rng.integers(0, 3)) % 3
    columns = np.where(edge == 0, 0, np.where(edge == 1, shape[-1] - 1, anywhere))
    rows[np.arange(len(rows)), columns] = 1
    return values.reshape(filling.shape)


def _large(filling: Filling, scale: Number = 10000) -> Array:
    if filling.floating:
        if scale <= 0:
            raise GeneratorError(f"large: expected a scale above 0, found {scale}")
        return filling.rng.uniform(-scale, scale, filling.shape)
    least, most = _range(filling)
    values = _integers(filling, most // 2, most)
    flip = filling.rng.integers(0, 2, filling.shape, dtype=np.int64) if least < 0 else 0
    return np.where(flip, -values, values)


def _tiny(filling: Filling) -> Array:
    _floats_only(filling, "tiny")
    return (
        filling.signs() * FLOATS[filling.name].smallest_normal * filling.rng.uniform(1, 1024, filling.shape)
    )


def _denormal(filling: Filling) -> Array:
    _floats_only(filling, "denormal")
    limits = FLOATS[filling.name]
    steps = 2**limits.fraction_bits
    return filling.signs() * filling.rng.integers(1, steps, filling.shape) * limits.smallest_subnormal


def _mixed(filling: Filling, decades: Number = 3) -> Array:
    _floats_only(filling, "mixed")
    if not 0 < decades <= 30:
        raise GeneratorError(f"mixed: expected up to 30 decades, found {decades}")
    return filling.signs() * 10.0 ** filling.rng.uniform(-decades, decades, filling.shape)


def _spikes(filling: Filling, mean: Number, deviation: Number) -> Array:
    values = _normal(filling, mean, deviation)
    if not values.size:
        return values
    rng, width = filling.rng, filling.shape[-1] if filling.shape else 1
    rows = values.reshape(-1, width)
    chosen = np.flatnonzero(rng.integers(0, 8, len(rows)) == 0)
    chosen = np.unique(np.concatenate([chosen, [0, len(rows) - 1]]))[:, None]
    edge = min(width, 32)
    places = [
        np.broadcast_to([0, width - 1], (len(chosen), 2)),
        rng.integers(0, edge, (len(chosen), 1)),
        width - 1 - rng.integers(0, edge, (len(chosen), 1)),
        rng.integers(0, width, (len(chosen), width // 65536 + 1)),
    ]
    columns = np.concatenate(places, axis=1)
    least = 250 if filling.dtype.itemsize == 2 else 2000
    sizes = rng.uniform(least, 4 * least, columns.shape) * rng.choice((-1.0, 1.0), (len(chosen), 1))
    rows[chosen, columns] = mean + sizes * (deviation or 1)
    return rows.reshape(filling.shape)


def _extremes(filling: Filling, low: Number, high: Number) -> Array:
    values = _integers(filling, low, high)
    inside = min(2, int(high) - int(low))
    steps = filling.rng.integers(0, inside, filling.shape, endpoint=True).astype(values.dtype)
    ends = filling.rng.integers(0, 2, filling.shape) == 0
    return np.where(ends, np.asarray(low, values.dtype) + steps, np.asarray(high, values.dtype) - steps)


def _specials(filling: Filling) -> Array:
    _floats_only(filling, "specials")
    values = filling.rng.normal(0, 1, filling.shape)
    odd = np.array([np.nan, np.inf, -np.inf, -0.0])
    chosen = filling.rng.random(filling.shape) < 1 / 16
    return np.where(chosen, odd[filling.rng.integers(0, odd.size, filling.shape)], values)


FAMILIES: Mapping[str, tuple[Callable[..., Array], int, int]] = {
    "uniform": (_uniform, 2, 2),
    "normal": (_normal, 2, 2),
    "integers": (_integers, 2, 2),
    "constant": (_constant, 1, 1),
    "permutation": (_permutation, 0, 0),
    "ties": (_ties, 1, 1),
    "one_hot": (_one_hot, 0, 0),
    "large": (_large, 0, 1),
    "tiny": (_tiny, 0, 0),
    "denormal": (_denormal, 0, 0),
    "mixed": (_mixed, 0, 1),
    "spikes": (_spikes, 2, 2),
    "extremes": (_extremes, 2, 2),
    "specials": (_specials, 0, 0),
}
"""Each family by name: what makes its values, and how few and how many numbers its call takes."""
