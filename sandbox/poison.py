"""The random bytes that fill outputs and scratch before every run, so that memory nobody wrote shows."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
_SLICE = 1 << 14


def poison_bytes(seed: int, name: str, nbytes: int) -> Bytes:
    """Return the poison of one buffer; devices fill with it, the judge looks for what is left of it.

    Random bits rather than a sentinel: a kernel cannot know them, so it can neither skip elements that
    "look written" nor leave a lucky value. The raw stream of NumPy's SFC64 is stable between NumPy
    versions, its seed comes from sha256 over seed and name. A shorter request is a prefix of a longer one.

    Args:
        seed: The run's poison seed, any integer.
        name: The buffer's name; every buffer of a run has bytes of its own.
        nbytes: How many bytes.

    Returns:
        A new writable array of `nbytes` bytes.
    """
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    stream = np.random.SFC64(int.from_bytes(digest[:16], "little"))
    words = np.empty(-(-nbytes // 8), dtype="<u8")
    for start in range(0, words.size, _SLICE):  # drawing holds the interpreter's lock
        part = words[start : start + _SLICE]
        part[:] = stream.random_raw(part.size)
    return words.view(np.uint8)[:nbytes]
