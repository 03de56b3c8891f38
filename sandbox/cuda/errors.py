"""From the CUDA driver's error codes to verdicts (CUDA Driver API 13.0, CUresult)."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.verdict import Verdict


@dataclass(frozen=True)
class Meaning:
    """What an error says of the candidate.

    Attributes:
        name: The CUresult's name.
        verdict: What becomes of the candidate.
        hint: What to look for.
        sticky: The context is lost: every later call fails as well, and the worker must be replaced.
    """

    name: str
    verdict: Verdict
    hint: str
    sticky: bool


_OUTSIDE = "look for an index beyond a buffer, a wrong pointer, or shared memory beyond its size"
_REFUSED = "look at the grid, the block, the shared memory and the registers that the launch needs"

_REFUSALS = {
    1: ("CUDA_ERROR_INVALID_VALUE", Verdict.LAUNCH_ERROR, _REFUSED),
    2: ("CUDA_ERROR_OUT_OF_MEMORY", Verdict.RESOURCE_LIMIT, "look for buffers larger than the task needs"),
    200: ("CUDA_ERROR_INVALID_IMAGE", Verdict.UNSUPPORTED, "the driver cannot read the program"),
    209: ("CUDA_ERROR_NO_BINARY_FOR_GPU", Verdict.UNSUPPORTED, "the program is for another GPU"),
    500: ("CUDA_ERROR_NOT_FOUND", Verdict.LAUNCH_ERROR, "there is no kernel of that name"),
    701: ("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", Verdict.LAUNCH_ERROR, _REFUSED),
    720: (
        "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE",
        Verdict.LAUNCH_ERROR,
        "not all blocks of the cooperative grid fit the GPU at once",
    ),
    801: ("CUDA_ERROR_NOT_SUPPORTED", Verdict.UNSUPPORTED, "the GPU or its driver cannot do this"),
    912: (
        "CUDA_ERROR_INVALID_CLUSTER_SIZE",
        Verdict.LAUNCH_ERROR,
        "the cluster is too large, or does not divide the grid",
    ),
}
"""What leaves the context as it was."""

_FAILURES = {
    700: ("CUDA_ERROR_ILLEGAL_ADDRESS", Verdict.MEMORY_FAULT, _OUTSIDE),
    702: ("CUDA_ERROR_LAUNCH_TIMEOUT", Verdict.TIMEOUT, "the driver ended the kernel: it ran for too long"),
    710: ("CUDA_ERROR_ASSERT", Verdict.MEMORY_FAULT, "the kernel stopped itself (a failed assert)"),
    714: ("CUDA_ERROR_HARDWARE_STACK_ERROR", Verdict.MEMORY_FAULT, "look for recursion without end"),
    715: ("CUDA_ERROR_ILLEGAL_INSTRUCTION", Verdict.MEMORY_FAULT, "the kernel stopped itself (trap)"),
    716: ("CUDA_ERROR_MISALIGNED_ADDRESS", Verdict.MEMORY_FAULT, "look for vector accesses at odd offsets"),
    717: ("CUDA_ERROR_INVALID_ADDRESS_SPACE", Verdict.MEMORY_FAULT, _OUTSIDE),
    718: ("CUDA_ERROR_INVALID_PC", Verdict.MEMORY_FAULT, "look for a wrong function pointer"),
    719: (
        "CUDA_ERROR_LAUNCH_FAILED",
        Verdict.MEMORY_FAULT,
        f"the kernel stopped itself (trap), or: {_OUTSIDE}",
    ),
}
"""What a running kernel did; the context is lost."""


def meaning(code: int) -> Meaning | None:
    """Return what an error says of the candidate; None where it says that the machine is at fault."""
    found = _REFUSALS.get(code) or _FAILURES.get(code)
    return Meaning(*found, sticky=code in _FAILURES) if found else None
