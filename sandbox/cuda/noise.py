"""The harness's random words and digests in NumPy, for the process that judges: the same as in harness.cu."""

from __future__ import annotations

from typing import Any

import numpy as np

Words = np.ndarray[Any, np.dtype[np.uint32]]
Wide = np.ndarray[Any, np.dtype[np.uint64]]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_MASK = (1 << 64) - 1


def noise_words(seed: int, count: int) -> Words:
    """Return what `ww_fill` writes: the low halves of SplitMix64 in counter mode, uint32, shape [count].

    SplitMix64 is Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014, figure 16.
    """
    return _noise(seed, count).astype(np.uint32)


def digest_words(words: Words, seed: int) -> int:
    """Return what `ww_digest` adds up: a 64-bit sum of a random function of each word and its place.

    Who does not know the seed cannot find words with the same sum but by chance, one in 2**64.
    """
    return int(np.add.reduce(_mixed(_noise(seed, words.size) ^ words.astype(np.uint64)), dtype=np.uint64))


def _noise(seed: int, count: int) -> Wide:
    with np.errstate(over="ignore"):
        return _mixed(np.uint64(seed & _MASK) + np.arange(count, dtype=np.uint64) * _STEP)


def _mixed(z: Wide) -> Wide:
    with np.errstate(over="ignore"):
        z = (z ^ (z >> np.uint64(30))) * _FIRST
        z = (z ^ (z >> np.uint64(27))) * _SECOND
        return z ^ (z >> np.uint64(31))
