"""How far estimates are off, by what bounds the kernel: what published times of such kernels showed.

`python -m benchmarks.published` prints these numbers, as "two of three within". docs/cost-model.md shows them.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.device import Bottleneck

ALL = 0.111
"""The |log(estimated / measured)| that two of three published kernels stay within."""

ERRORS: Mapping[Bottleneck, float] = {
    Bottleneck.DRAM: 0.166,
    Bottleneck.L1: 0.130,
    Bottleneck.L2: 0.134,
    Bottleneck.LATENCY: 0.100,
}
"""The same of the kinds with at least eight of them."""


def error_of(bottleneck: Bottleneck) -> float:
    """The part of itself by which an estimate of such a kernel may well be off."""
    return ERRORS.get(bottleneck, ALL)
