"""How far estimates are off, by what bounds the kernel: what published times of such kernels showed."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.device import Bottleneck

ALL = 0.11
"""Of all kinds together: `python -m benchmarks.published --held-out`, median of |log(estimated / measured)|."""

ERRORS: Mapping[Bottleneck, float] = {}
"""Of the kinds with at least eight published kernels, from the same command."""


def error_of(bottleneck: Bottleneck) -> float:
    """The part of itself by which an estimate of such a kernel is typically off."""
    return ERRORS.get(bottleneck, ALL)
