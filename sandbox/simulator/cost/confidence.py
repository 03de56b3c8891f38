"""How far estimates are off, by what bounds the kernel: what published times of such kernels showed.

`python -m benchmarks.published --held-out` prints these numbers, as "two of three within": each family was estimated
by constants that know nothing of it, as kernels of tomorrow will be. docs/cost-model.md shows them.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.device import Bottleneck

ALL = 0.144
"""The |log(estimated / measured)| that two of three published kernels stay within."""

ERRORS: Mapping[Bottleneck, float] = {
    Bottleneck.DRAM: 0.144,
    Bottleneck.L1: 0.204,
    Bottleneck.L2: 0.120,
    Bottleneck.LATENCY: 0.143,
}
"""The same of the kinds with at least eight of them."""


def error_of(bottleneck: Bottleneck) -> float:
    """The part of itself by which an estimate of such a kernel may well be off."""
    return ERRORS.get(bottleneck, ALL)
