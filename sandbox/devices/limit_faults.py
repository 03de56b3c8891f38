"""What a device says of a plan that reached a limit of its worker."""

from __future__ import annotations

from sandbox.asking import LimitReached
from sandbox.device import Fault
from sandbox.verdict import Verdict


def limit_fault(
    reached: LimitReached, device: str, *, deadline_s: float, memory_bytes: int, suspects: str
) -> Fault:
    """Return the fault.

    Args:
        reached: Which limit.
        device: Its name.
        deadline_s: Seconds that the plan had; of processor time where that is the limit.
        memory_bytes: Of the host that the worker had.
        suspects: What may be too large, for example `buffers`.
    """
    if reached.limit == "deadline":
        return Fault(
            Verdict.TIMEOUT,
            f"the kernel did not finish within {deadline_s:g} s on {device}: look for a loop that never "
            "ends, a barrier or flag that some threads never reach, or far too much work",
        )
    if reached.limit == "processor time":
        what = f"not judged: {device} took more than {deadline_s:g} s of processor time on the kernel"
        return Fault(Verdict.UNDECIDED, what)
    if reached.limit == "lost":
        what = (
            f"not judged: {device} lost its worker ({reached.said}); try again when this machine has less to do, or "
            "more memory"
        )
        return Fault(Verdict.UNDECIDED, what)
    return Fault(
        Verdict.RESOURCE_LIMIT,
        f"running the kernel on {device} took more than {memory_bytes / (1 << 30):g} GiB of host memory: look "
        f"for {suspects} larger than the task needs",
    )
