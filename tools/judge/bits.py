"""What must agree bit for bit: inputs before and after a run, and the outputs of two runs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sandbox.plan import Plan, Role
from tools.judge.error_bound import Array


def differing_elements(one: Array, other: Array) -> Array:
    """Return the flat indices where two arrays of one dtype and size differ in any bit."""
    bits = f"uint{8 * one.dtype.itemsize}"
    left, right = (np.ascontiguousarray(array).reshape(-1).view(bits) for array in (one, other))
    return np.flatnonzero(left != right)


def modified_input(plan: Plan, sent: Mapping[str, Array], returned: Mapping[str, Array]) -> str | None:
    """Return a clause saying which input the kernel wrote to, or None."""
    for buffer in plan.buffers:
        if buffer.role is not Role.IN:
            continue
        places = differing_elements(sent[buffer.name], returned[buffer.name])
        if places.size:
            return (
                f"The kernel wrote to its input {buffer.name}: {places.size} of {buffer.size} elements "
                f"changed, the first at flat index {int(places[0])}"
            )
    return None


def differing_outputs(first: Mapping[str, Array], second: Mapping[str, Array]) -> str | None:
    """Return a clause saying where two runs on the same input differ, or None."""
    for name, one in first.items():
        places = differing_elements(one, second[name])
        if places.size:
            place = int(places[0])
            return (
                f"Two runs on the same input differ in {places.size} of {one.size} elements of {name}, the "
                f"first at flat index {place} ({one[place]!s} and {second[name][place]!s}): elements that "
                "nothing writes, a race, or atomics in changing order"
            )
    return None
