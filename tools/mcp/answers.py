"""What the kernel tools answer. Lists and texts are bounded; every number of time has its provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, cast

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, model_validator

from sandbox.device import Cause
from sandbox.verdict import Provenance, Verdict
from tools.mcp.limits import Few, FewHotLines, FourDigits, Message

PROVENANCE = (
    "measured: on a GPU. counted: exact, by the simulator. "
    "estimated: a cost model's number, good for ranking kernels, never to be called a measurement."
)
_VERDICT = "pass, or the first failure; unsupported is neither: this device cannot judge the kernel."


class JudgeAnswer(BaseModel):
    """What every tool answers that may take longer than a call."""

    job: str | None = Field(
        default=None,
        description="Set where the work goes on in the background: job_status brings the answer; "
        "what is not set here is not known yet.",
    )
    verdict: Verdict | None = Field(default=None, description=_VERDICT)
    message: str = ""
    task: str = ""
    device: str = ""
    next_step: str = Field(default="", description="The call to make next.")


class NamedNumber(BaseModel):
    """A whole number and what it is the number of: no client takes a map whose keys are free."""

    name: str = Field(min_length=1, max_length=64)
    value: int


def _listed(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return [{"name": name, "value": one} for name, one in cast("Mapping[str, int]", value).items()]


Numbers = Annotated[list[NamedNumber], BeforeValidator(_listed)]
"""Sizes of dims, or settings of tunables."""


class Sizes(BaseModel):
    """The sizes of one case."""

    dims: Numbers

    @model_validator(mode="before")
    @classmethod
    def _of_dims(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        sizes = cast("Mapping[str, object]", value)
        return sizes if "dims" in sizes else {"dims": sizes}


def numbers_text(numbers: list[NamedNumber]) -> str:
    """Return sizes or settings as people write them: `rows=7 cols=33`."""
    return " ".join(f"{one.name}={one.value}" for one in numbers)


class TaskLine(BaseModel):
    """One task in a list."""

    name: str
    summary: str
    timed_at: str = Field(description="The sizes that latency is about.")


class TaskList(BaseModel):
    """The bundled tasks, and those that create_task made."""

    device: str = Field(description="The device that this server judges on.")
    tasks: list[TaskLine]


class KernelUse(BaseModel):
    """What one kernel takes from the device."""

    name: str
    registers: int = Field(description="Per thread.")
    shared_bytes: int = Field(description="Static shared memory per block.")
    stack_bytes: int
    spill_bytes: int = Field(description="Registers spilled to local memory, bytes stored and loaded.")


class CompilerMessage(BaseModel):
    """One message of the compiler."""

    severity: str
    line: int | None = Field(description="Line of the kernel file.")
    message: Message


class CompileAnswer(BaseModel):
    """Whether a kernel file compiles."""

    verdict: Verdict = Field(description=_VERDICT)
    message: str
    task: str
    architecture: str
    kernels: Annotated[list[KernelUse], Few] = Field(description="The first few kernels.")
    compiler_messages: Annotated[list[CompilerMessage], Few] = Field(
        description="The first few, errors first."
    )
    suspicious: Annotated[list[str], Few] = Field(
        description="Constructs that honest kernels seldom need; a warning only."
    )
    ptx_key: str = Field(description="Kernel files with the same key compile to the same code.")
    next_step: str


Element = Annotated[
    str, BeforeValidator(lambda value: f"{value:.9g}" if isinstance(value, float) else str(value))
]
"""An element of an output as text: JSON has no nan and no inf."""


class WrongElement(BaseModel):
    """One wrong element of an output."""

    output: str
    index: list[int]
    got: Element
    expected: Element
    bound: float = Field(description="The largest error allowed there.")


class NamedLine(BaseModel):
    """A line of the kernel file that a failure is about."""

    number: int
    text: str


class FailedCase(BaseModel):
    """The test case that failed, and how."""

    verdict: Verdict
    message: Message
    dims: Numbers
    seed: int = Field(description="Replays this input: test_kernel(seed=...).")
    wrong: int
    never_written: int = Field(validation_alias=AliasChoices("never_written", "unwritten"))
    total: int
    first: Annotated[list[WrongElement], Few] = Field(
        description="The first few wrong elements in row-major order."
    )
    line: int | None = Field(description="Line of the kernel file where a fault happened.")
    block: list[int] | None = Field(description="Block that faulted, x y z.")
    thread: list[int] | None = Field(description="Thread that faulted, x y z.")
    buffer: str | None = Field(description="Buffer nearest to a faulting address.")
    lines: Annotated[list[NamedLine], Few] = Field(description="Text of the lines that the failure is about.")


class TestAnswer(JudgeAnswer):
    """Whether a kernel file computes what the task asks."""

    __test__ = False  # not a pytest class

    isolation: str = Field(default="", description="What confined the kernel while it ran.")
    runs_passed: int = 0
    runs_total: int = Field(
        default=0, description="Cases times inputs for each; the first failure ends the test."
    )
    failed: FailedCase | None = None
    also: Annotated[list[FailedCase], Few] = Field(
        default_factory=list[FailedCase],
        description="Other failures that the same test found, the most serious first; repair them too.",
    )


class MetricLine(BaseModel):
    """One number under Nsight Compute's name for it."""

    name: str
    value: FourDigits
    unit: str
    provenance: Provenance = Field(description=PROVENANCE)


class HotLine(BaseModel):
    """A source line that costs more than it need."""

    line: int | None = Field(description="In the kernel file.")
    what: str = Field(description="What was counted there, as `sectors per request`.")
    value: FourDigits
    share: FourDigits = Field(description="Of all of that kind in this launch, 0 to 1.")
    text: Message = Field(description="Of the line.")


class PartLine(BaseModel):
    """What one resource needs of a launch."""

    resource: str
    us: FourDigits


class WhatIfLine(BaseModel):
    """The estimate if one cause were gone and all else as it is."""

    cause: Cause
    latency_us: FourDigits


class BreakdownLine(BaseModel):
    """What an estimate is made of, microseconds."""

    parts: list[PartLine] = Field(description="By resource, the largest first; they overlap.")
    launch_us: FourDigits
    least_us: FourDigits = Field(description="What a perfect machine would take.")
    what_ifs: list[WhatIfLine] = Field(description="Causes to remove, the one that matters most first.")
    error: FourDigits = Field(description="By what part of itself an estimate of this kind is typically off.")
    warm_us: FourDigits | None = Field(
        default=None,
        description="Estimated for the same launch again, its data still in L2; not there where none of it fits.",
    )


class LaunchLine(BaseModel):
    """One launch of the kernel file."""

    kernel: str
    line: int = Field(description="Line of its launch directive.")
    latency_us: FourDigits
    provenance: Provenance = Field(description=PROVENANCE)
    bottleneck: str
    roofline_fraction: FourDigits = Field(description="Least possible time over this time, 0 to 1.")
    sampled_blocks: int = Field(description="Fewer than total_blocks: counts are extrapolated.")
    total_blocks: int
    metrics: list[MetricLine] = Field(description="Those that tell most of what bounds it.")
    hot_lines: Annotated[list[HotLine], FewHotLines] = Field(
        validation_alias=AliasChoices("hot_lines", "hotspots"), description="Where to look first."
    )
    note: str = Field(description="Why counters are missing and how to get them; empty where none is.")
    breakdown: BreakdownLine | None = Field(description="Of an estimate.")


class MeasuredTiming(BaseModel):
    """How sure a measured speed-up is; times in microseconds."""

    speedup: float
    low: float = Field(
        validation_alias=AliasChoices("low", "speedup_low"), description="Of its 95 percent interval."
    )
    high: float = Field(validation_alias=AliasChoices("high", "speedup_high"))
    pairs: int = Field(description="Samples, each beside one of the baseline's.")
    warm_us: float | None = Field(description="One run among many back to back.")
    empty_us: float = Field(description="An empty kernel: what of the latency is the launch.")
    noise: float | None = Field(description="By how much the baseline differs from itself, relative.")
    notes: Annotated[list[str], Few] = Field(description="What should give pause.")


class ShapeLine(BaseModel):
    """One benchmark shape."""

    dims: Numbers
    latency_us: FourDigits
    baseline_us: FourDigits | None
    provenance: Provenance = Field(description=PROVENANCE)
    launches: Annotated[list[LaunchLine], Few] = Field(description="The first few launches.")
    timing: MeasuredTiming | None = Field(description="Of a measurement.")


class ProfileAnswer(JudgeAnswer):
    """How fast a kernel file is, and what limits it; says nothing of its correctness."""

    latency_us: FourDigits | None = Field(
        default=None, description="Geometric mean over the benchmark shapes."
    )
    provenance: Provenance = Field(default=Provenance.ESTIMATED, description=PROVENANCE)
    speedup: FourDigits | None = Field(
        default=None, description="Baseline latency over this latency, on the same device."
    )
    bottleneck: str = ""
    roofline_fraction: FourDigits | None = None
    error: FourDigits | None = Field(
        default=None,
        description="Of an estimate: by what part of itself it is typically off. Less than that is no difference.",
    )
    shapes: Annotated[list[ShapeLine], Few] = Field(default_factory=list[ShapeLine])
    features: list[str] = Field(
        default_factory=list[str],
        description="Techniques against that bottleneck; list_features has their pages.",
    )
    profile: str | None = Field(
        default=None, description="The resource that holds every metric of every launch."
    )
