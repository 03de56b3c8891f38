"""Families of values: each is what some family of mistakes cannot survive.

- `uniform(low, high)`: floats, evenly spread. The plain case.
- `normal(mean, deviation)`: floats, bell-shaped. A large mean with a small deviation catches cancellation.
- `integers(low, high)`: whole numbers, both ends included, in any dtype. Small ones make sums exact in
  floating point too, so an answer that is off by one element is off by a lot more than rounding.
- `constant(value)`: one value everywhere. Catches wrong counts: a sum becomes size times value.
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
- `specials()`: bell-shaped floats, and among them a NaN, both infinities and a negative zero, once in about sixteen.
  For tasks whose reference says what becomes of them; no other family makes any.
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


def rounded(values: Array, target: Filling) -> Array:
    """Round into the dtype; what is finite and lies outside its range becomes its nearest finite value."""
    if not target.floating:
        return values.astype(target.dtype)
    largest = FLOATS[target.name].largest
    clipped = np.where(np.isinf(values), values, np.clip(values, -largest, largest))
    return clipped.astype(target.dtype)


def _floats_only(target: Filling, name: str) -> None:
    if not target.floating:
        raise GeneratorError(
            f"`{name}` makes floating point values; expected another generator for {target.name}"
        )


def _range(target: Filling) -> tuple[int, int]:
    """The whole numbers that an integer dtype holds."""
    if target.name == "bool":
        return 0, 1
    info = np.iinfo(target.dtype)
    return int(info.min), int(info.max)


def _uniform(target: Filling, low: Number, high: Number) -> Array:
    _floats_only(target, "uniform")
    if low > high:
        raise GeneratorError(f"uniform: expected low <= high, found {low} and {high}")
    return target.rng.uniform(low, high, target.shape)


def _normal(target: Filling, mean: Number, deviation: Number) -> Array:
    _floats_only(target, "normal")
    if deviation < 0:
        raise GeneratorError(f"normal: expected a deviation of at least 0, found {deviation}")
    return target.rng.normal(mean, deviation, target.shape)


def _integers(target: Filling, low: Number, high: Number) -> Array:
    if not isinstance(low, int) or not isinstance(high, int) or low > high:
        raise GeneratorError(f"integers: expected whole low <= high, found {low} and {high}")
    least, most = (-(2**53), 2**53) if target.floating else _range(target)
    if low < least or high > most:
        raise GeneratorError(
            f"integers: expected {least} to {most} for {target.name}, found {low} and {high}"
        )
    kind = np.uint64 if high > 2**63 - 1 else np.int64
    return target.rng.integers(low, high, target.shape, dtype=kind, endpoint=True)


def _constant(target: Filling, value: Number) -> Array:
    if not target.floating:
        least, most = _range(target)
        if value != int(value) or not least <= value <= most:
            raise GeneratorError(f"constant: expected a whole {target.name}, found {value}")
        return np.full(target.shape, int(value), target.dtype)
    return np.full(target.shape, float(value))


def _permutation(target: Filling) -> Array:
    size = math.prod(target.shape)
    if not target.floating and size - 1 > _range(target)[1]:
        raise GeneratorError(f"permutation: expected a dtype that holds {size - 1}, found {target.name}")
    return target.rng.permutation(size).reshape(target.shape)


def _ties(target: Filling, count: Number) -> Array:
    if not isinstance(count, int) or not 1 <= count <= 1000:
        raise GeneratorError(f"ties: expected a whole count from 1 to 1000, found {count}")
    least = 0 if not target.floating and _range(target)[0] == 0 else -(count // 2)
    return _integers(target, least, least + count - 1)


def _one_hot(target: Filling) -> Array:
    shape = target.shape or (1,)
    values = np.zeros(shape)
    rows = values.reshape(-1, shape[-1])
    anywhere = target.rng.integers(0, shape[-1], len(rows))
    edge = (np.arange(len(rows)) + target.rng.integers(0, 3)) % 3
    columns = np.where(edge == 0, 0, np.where(edge == 1, shape[-1] - 1, anywhere))
    rows[np.arange(len(rows)), columns] = 1
    return values.reshape(target.shape)


def _large(target: Filling, scale: Number = 10000) -> Array:
    if target.floating:
        if scale <= 0:
            raise GeneratorError(f"large: expected a scale above 0, found {scale}")
        return target.rng.uniform(-scale, scale, target.shape)
    least, most = _range(target)
    values = _integers(target, most // 2, most)
    flip = target.rng.integers(0, 2, target.shape, dtype=np.int64) if least < 0 else 0
    return np.where(flip, -values, values)


def _tiny(target: Filling) -> Array:
    _floats_only(target, "tiny")
    return target.signs() * FLOATS[target.name].smallest_normal * target.rng.uniform(1, 1024, target.shape)


def _denormal(target: Filling) -> Array:
    _floats_only(target, "denormal")
    limits = FLOATS[target.name]
    steps = 2**limits.fraction_bits
    return target.signs() * target.rng.integers(1, steps, target.shape) * limits.smallest_subnormal


def _mixed(target: Filling, decades: Number = 3) -> Array:
    _floats_only(target, "mixed")
    if not 0 < decades <= 30:
        raise GeneratorError(f"mixed: expected up to 30 decades, found {decades}")
    return target.signs() * 10.0 ** target.rng.uniform(-decades, decades, target.shape)


def _specials(target: Filling) -> Array:
    _floats_only(target, "specials")
    values = target.rng.normal(0, 1, target.shape)
    odd = np.array([np.nan, np.inf, -np.inf, -0.0])
    chosen = target.rng.random(target.shape) < 1 / 16
    return np.where(chosen, odd[target.rng.integers(0, odd.size, target.shape)], values)


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
    "specials": (_specials, 0, 0),
}
"""Each family by name: what makes its values, and how few and how many numbers its call takes."""
