"""What a parent asks of each role, and what comes back; it crosses the wire through `sandbox.codec`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sandbox.budget import Budget
from sandbox.cuda.driver import GpuFacts
from sandbox.device import Array, RunResult
from sandbox.plan import Launch, Plan
from sandbox.program import CompileRequest, Program
from sandbox.timing.measured import PairedTimes, TimedPlan
from sandbox.timing.schedule import TimingRules


class FailureKind(StrEnum):
    """Why a worker has no answer."""

    MEMORY = "memory"
    """The memory limit was reached; the worker ends after saying so."""
    INTERNAL = "internal"
    """A bug of ours, or a missing part; the message holds the traceback."""


@dataclass(frozen=True)
class Ready:
    """The first thing that a worker sends: it is confined and its role is loaded."""


@dataclass(frozen=True)
class Failure:
    """The reply of a worker that has no answer."""

    kind: FailureKind
    message: str


@dataclass(frozen=True)
class CpuAllowance:
    """Comes before a request and has no reply: seconds of processor time that the answer may take.

    The kernel ends a worker that takes more; by SIGXCPU, so that the parent knows why.
    """

    cpu_s: float


@dataclass(frozen=True)
class CompileCall:
    """Role `compile`: compile this; the reply is a `CompileResult` with the key left to the parent."""

    request: CompileRequest


@dataclass(frozen=True)
class ProveCall:
    """Role `prove`: is this launch free of races in every schedule; the reply is a `LaunchProof`."""

    program: Program
    launch: Launch
    seconds: float


@dataclass(frozen=True)
class RunCall:
    """Role `simulate`: run the plan once, within its budget; the reply is a `RunResult`."""

    program: Program
    plan: Plan
    inputs: Mapping[str, Array]
    poison: int
    architecture: str
    budget: Budget


@dataclass(frozen=True)
class RunAllCall:
    """Role `simulate`: run the plan once over each of several inputs; the reply is a `RunResults`.

    Attributes:
        budget: What the run over one of them may cost.
    """

    program: Program
    plan: Plan
    inputs: tuple[Mapping[str, Array], ...]
    poison: int
    architecture: str
    budget: Budget


@dataclass(frozen=True)
class RunResults:
    """What became of each input, none after the first that failed."""

    results: tuple[RunResult, ...]


@dataclass(frozen=True)
class ProfileCall:
    """Role `simulate`: profile the plan; the reply is a `ProfileResult`."""

    program: Program
    plan: Plan
    samples: Mapping[str, Array]
    architecture: str
    budget: Budget


@dataclass(frozen=True)
class CudaRunCall:
    """Role `cuda`: run the plan once; the reply is a `CudaAnswer`. The parent keeps the deadline."""

    program: Program
    plan: Plan
    inputs: Mapping[str, Array]
    poison: int


@dataclass(frozen=True)
class CudaAnswer:
    """A run on a GPU; `spent` says that the context is lost, so that the worker must be replaced."""

    result: RunResult
    spent: bool


@dataclass(frozen=True)
class CudaProbeCall:
    """Role `cuda`: say what the GPU is, and digest the noise of `seed`; the reply is a `CudaHealth`."""

    seed: int


@dataclass(frozen=True)
class CudaHealth:
    """What a GPU is, and the digest of `PROBE_WORDS` words of noise that its harness kernels made of a seed."""

    facts: GpuFacts
    digest: int


@dataclass(frozen=True)
class CudaTimeCall:
    """Role `cuda`: time a candidate, beside a baseline where there is one; the reply is a `CudaTimes`.

    Attributes:
        inputs: Sets of inputs of the same shapes and different values, used in turn by both; at least one.
    """

    candidate: TimedPlan
    baseline: TimedPlan | None
    inputs: tuple[Mapping[str, Array], ...]
    rules: TimingRules


@dataclass(frozen=True)
class CudaTimes:
    """What a timing measured; `spent` as in `CudaAnswer`."""

    times: PairedTimes
    spent: bool


@dataclass(frozen=True)
class ReferenceCall:
    """Role `reference`: compute the expected outputs; the reply is an `Expected` or a `ReferenceFault`.

    Attributes:
        text: The whole of reference.py.
        inputs: In and inout arrays in their dtype and task shape, and scalars as 0-d arrays.
        dtypes: The floating outputs that the task wants, and their dtypes.
        draws: How often the inputs are perturbed where `magnitude` is not defined and nothing can be traced.
        seed: Seed of those perturbations.
        accumulate: The dtype that sums of halves may be accumulated in; None for float32.
        single: Compute with float32 in the place of float64, and give no scales.
    """

    text: str
    inputs: Mapping[str, Array]
    dims: Mapping[str, int]
    dtypes: Mapping[str, str]
    draws: int
    seed: int
    accumulate: str | None = None
    single: bool = False


@dataclass(frozen=True)
class CompareCall:
    """Role `reference`: judge outputs by the reference's own `compare`; the reply is a `ComparisonAnswer`."""

    text: str
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]
    expected: Mapping[str, Array]


@dataclass(frozen=True)
class Expected:
    """What the outputs should be.

    Attributes:
        outputs: By name, float64 for floating outputs, else the reference's own integer or bool dtype.
        magnitude: By name, the sum of absolute terms behind each element, float64, in the outputs' shapes.
        has_compare: The reference defines `compare`, so that many answers may be right.
        scales: By name of a floating output, where its magnitude is from: the reference's own `magnitude`, a
            traced run, or perturbation ("given", "traced", "perturbed").
        untraced: Why some magnitude is from perturbation; empty where none is.
    """

    outputs: Mapping[str, Array]
    magnitude: Mapping[str, Array]
    has_compare: bool
    scales: Mapping[str, str]
    untraced: str = ""


@dataclass(frozen=True)
class ComparisonAnswer:
    """The answer of a reference's `compare`: None where the outputs are right, else the reason."""

    reason: str | None


@dataclass(frozen=True)
class ReferenceFault:
    """The reference itself failed: what it raised, and the line of reference.py, where known."""

    message: str
    line: int | None


@dataclass(frozen=True)
class ReferenceCalls:
    """Role `reference`: several calls; the reply is a `ReferenceAnswers`."""

    calls: tuple[ReferenceCall, ...]


@dataclass(frozen=True)
class ReferenceAnswers:
    """What each of several calls has for an answer, in their order."""

    answers: tuple[Expected | ReferenceFault, ...]
