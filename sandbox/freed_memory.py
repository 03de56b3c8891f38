"""Gives what was freed back to the operating system: the C library keeps it for a process's next gigabyte."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


@cache
def _trim() -> Any:
    """`malloc_trim` of the GNU C library, malloc_trim(3); None where the C library is another."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


def return_freed_memory() -> None:
    """Return to the operating system what this process freed; does nothing where the C library cannot."""
    trim = _trim()
    if trim is not None:
        trim(0)
