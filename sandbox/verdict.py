"""The one enumeration of what can become of a candidate."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """What became of a candidate; declared in order of precedence, causes before effects."""

    PASS = "pass"
    REJECTED = "rejected"
    """The file breaks the contract, or a number is implausible."""
    COMPILE_ERROR = "compile_error"
    LAUNCH_ERROR = "launch_error"
    """The device refuses the launch: too many threads, too much shared memory, an empty grid."""
    MEMORY_FAULT = "memory_fault"
    """Out of bounds or misaligned; a guard zone hit counts as one."""
    UNINITIALIZED = "uninitialized"
    RACE = "race"
    BARRIER_DIVERGENCE = "barrier_divergence"
    INPUT_MODIFIED = "input_modified"
    WRONG_RESULT = "wrong_result"
    NONDETERMINISTIC = "nondeterministic"
    TIMEOUT = "timeout"
    RESOURCE_LIMIT = "resource_limit"
    UNSUPPORTED = "unsupported"
    """This device cannot judge the kernel: never a pass and never a fail."""
    UNDECIDED = "undecided"
    """The machine was too busy or too small to judge, or lost a worker: held against nobody."""


class Provenance(StrEnum):
    """Where a number comes from; shown wherever a person or a model reads the number."""

    MEASURED = "measured"
    """Timed or counted on a GPU."""
    COUNTED = "counted"
    """Counted by the simulator, exactly."""
    ESTIMATED = "estimated"
    """Computed by the cost model, or extrapolated from a sample of blocks."""


class PairedVerdict(StrEnum):
    """What runs of two kernels in turn on one GPU say of the one beside the other."""

    FASTER = "faster"
    SLOWER = "slower"
    INCONCLUSIVE = "inconclusive"
    """The runs do not tell them apart."""


_ORDER = {verdict: position for position, verdict in enumerate(Verdict)}


def precedence(verdict: Verdict) -> int:
    """Return where a verdict stands among all: the lower of two failures explains the other."""
    return _ORDER[verdict]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that explains the others: the first failure in order of precedence, else PASS."""
    failures = [verdict for verdict in verdicts if verdict is not Verdict.PASS]
    return min(failures, key=precedence, default=Verdict.PASS)
