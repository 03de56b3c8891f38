"""What a plan's buffers hold before a run, and how much of them comes back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sandbox.device import Array
from sandbox.plan import Plan, Role


def repeated(plan: Plan, samples: Mapping[str, Array]) -> dict[str, Array]:
    """Return samples repeated until they fill their buffers."""
    sizes = {buffer.name: buffer.size for buffer in plan.buffers}
    return {name: np.resize(sample, sizes[name]) for name, sample in samples.items()}


def bytes_back(plan: Plan) -> int:
    """Return the size of all buffers of a plan that come back, bytes."""
    return sum(buffer.nbytes for buffer in plan.buffers if buffer.role is not Role.SCRATCH)
