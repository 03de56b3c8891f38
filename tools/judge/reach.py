"""Whether a sample of blocks accounts for the whole of what a kernel must write."""

from __future__ import annotations

from sandbox.device import RunResult
from sandbox.plan import Plan, Role


def shortfall(plan: Plan, result: RunResult) -> str:
    """Say which output blocks that were not run must write more of than any that was; empty where none.

    Every element is written by some block. Where each block of the sample wrote less than an even share, others
    write more, or nobody writes the rest: then the sample stands for nothing, neither results nor time.
    """
    for buffer in plan.buffers:
        reach = result.reach.get(buffer.name)
        if buffer.role is Role.OUT and reach is not None and reach < buffer.size:
            return (
                f"if every block wrote as much of {buffer.name} as any of a sample, {reach} of its {buffer.size} "
                f"elements would be written: blocks that were not run write more, or nobody writes the rest"
            )
    return ""
