"""The facts of a report, as frozen models; `--format json` prints them, every other format renders them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.budget import SearchBudget
from agent.candidates import changes
from agent.exploration import Exploration
from agent.results import RunState, Stop
from agent.store.replies import RoleCost
from sandbox.verdict import Provenance, Verdict
from tools.reports import StageReport


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=True)


class Figure(_Fact):
    """A number with its unit and where it comes from. Units: `us`, `x` (a ratio), `of roofline` (0 to 1)."""

    value: float
    unit: str
    provenance: Provenance


class PartFigure(_Fact):
    """What one resource needs of a kernel, if it were the only one."""

    resource: str
    time: Figure


class WhatIfFigure(_Fact):
    """What a launch would take if one thing changed and all else stayed."""

    launch: str
    change: str
    time: Figure


class CostlyLine(_Fact):
    """A line that costs more than it need. `share` is of the launch's total of that kind, 0 to 1."""

    launch: str
    line: int
    text: str
    what: str
    value: float
    share: float
    provenance: Provenance


class ShapeFigure(_Fact):
    """Latency at one benchmark shape, beside the baseline's."""

    dims: dict[str, int]
    latency: Figure
    baseline: Figure | None
    speedup: Figure | None
    interval: tuple[float, float] | None = Field(
        default=None, description="Of a measured speedup: its 95 percent interval."
    )


class SettingFigure(_Fact):
    """What became of one setting of a sweep."""

    tune: dict[str, int]
    verdict: Verdict
    latency: Figure | None
    registers: int | None
    spilled: int | None
    message: str


class WrongValue(_Fact):
    """One wrong element, as text: where, what came out, what was expected, and the error bound there."""

    output: str
    index: tuple[int, ...]
    got: str
    expected: str
    bound: float


class FailureFact(_Fact):
    """One thing that is wrong with a kernel, with the lines it is about."""

    verdict: Verdict
    dims: dict[str, int]
    message: str
    lines: tuple[tuple[int, str], ...] = ()
    first: tuple[WrongValue, ...] = ()


class ResourceLine(_Fact):
    """What a compiled kernel takes: registers a thread; bytes of static shared memory; bytes of registers spilled."""

    kernel: str
    registers: int
    shared_bytes: int
    spilled_bytes: int


class KernelAccount(_Fact):
    """What the tools found of one kernel file.

    Attributes:
        name: `baseline`, `parent`, `best` or `kernel`.
        place: `ROUND/CANDIDATE` of a search; empty elsewhere.
        text: Of the kernel file; None where it is not kept any more.
        error: Of an estimate: the part of itself within which two of three are.
        held_out: At the task's final sizes, which no proposer saw; empty where it has none, or they were not come to.
        held_out_speedup: Over all of those.
        shape: The benchmark shape that `parts`, `what_ifs` and `costly` are about: the last one.
        least: What a perfect machine would take.
        judged: How it was judged, a sentence each.
        not_judged: What was not judged, a sentence each.
    """

    name: Literal["baseline", "parent", "best", "kernel"]
    place: str = ""
    features: tuple[str, ...] = ()
    verdict: Verdict
    message: str
    sha: str = ""
    text: str | None = None
    tune: dict[str, int] = Field(default_factory=dict[str, int])
    latency: Figure | None = None
    speedup: Figure | None = None
    roofline: Figure | None = None
    bottleneck: str = ""
    error: float | None = None
    shapes: tuple[ShapeFigure, ...] = ()
    held_out: tuple[ShapeFigure, ...] = ()
    held_out_speedup: Figure | None = None
    shape: dict[str, int] = Field(default_factory=dict[str, int])
    parts: tuple[PartFigure, ...] = ()
    least: Figure | None = None
    dram_bytes: float | None = None
    what_ifs: tuple[WhatIfFigure, ...] = ()
    costly: tuple[CostlyLine, ...] = ()
    settings: tuple[SettingFigure, ...] = ()
    resources: tuple[ResourceLine, ...] = ()
    stages: tuple[StageReport, ...] = ()
    failures: tuple[FailureFact, ...] = ()
    judged: tuple[str, ...] = ()
    not_judged: tuple[str, ...] = ()

    def part(self, resource: str) -> Figure | None:
        """Return what one resource needs; None where nobody knows."""
        return next((part.time for part in self.parts if part.resource == resource), None)


class CandidateAccount(_Fact):
    """One candidate of a search; `verdict` is None while it is at work.

    Attributes:
        place: `ROUND/CANDIDATE`.
        parents: Places of the kernels that it started from; empty for a fresh start.
        best_so_far: Of the candidates up to this one; None while none was correct.
        winning: It lies on the path from a fresh start to the best kernel.
    """

    place: str
    round: int
    features: tuple[str, ...]
    without: tuple[str, ...]
    why: str
    origin: str
    parents: tuple[str, ...]
    verdict: Verdict | None
    message: str
    latency: Figure | None
    speedup: Figure | None
    tune: dict[str, int]
    sha: str | None
    duplicate_of: str | None
    lost: bool
    bottleneck: str
    best_so_far: Figure | None
    winning: bool

    @property
    def tried(self) -> tuple[str, ...]:
        """What it was to try: features in and out, or what it was drawn from where it merges alone."""
        return changes(self.features, self.without) or ((self.origin,) if self.origin else ())


class RoundWords(_Fact):
    """What the critic said after a round."""

    round: int
    critique: str


class FeatureCredit(_Fact):
    """What a feature earned in this run; `gain` is a geometric mean over correct ones that add it or leave it out."""

    feature: str
    tries: int
    correct: int
    improved: int
    gain: Figure | None


class Budgeted(_Fact):
    """What a run may spend and has spent; calls under way count at their worst in `tokens` and `usd`."""

    limits: SearchBudget
    tokens: int
    usd: float | None
    seconds: float
    candidates: int
    roles: tuple[RoleCost, ...]


class RooflinePoint(_Fact):
    """A kernel on the roofline: the task's operations a byte that it moves, and operations a second."""

    name: str
    intensity: float
    rate: float
    provenance: Provenance


class Roofline(_Fact):
    """Peak rates of the device and where kernels stand below them.

    Attributes:
        bytes_per_s: Peak DRAM bandwidth.
        flops_per_s: Peak rate of operations on the task's types.
        source: Where the peaks come from.
    """

    bytes_per_s: float
    flops_per_s: float
    source: str
    points: tuple[RooflinePoint, ...]


class RunAccount(_Fact):
    """A run, whether it ended or not.

    Attributes:
        state: Where it stands; a report of a running one is of this moment.
        provenance: Of its latencies.
        architecture: What kernels were compiled for.
        no_roofline: Why there is no roofline; empty where there is one.
    """

    kind: Literal["run"] = "run"
    run: str
    task: str
    summary: str
    task_sha: str
    device: str
    architecture: str
    isolation: str
    model: str
    strategy: str
    seed: int
    created: datetime
    seconds: float
    state: RunState
    stopped: Stop | None
    error: str
    planned_rounds: int
    planned_candidates: int
    verdict: Verdict | None
    provenance: Provenance
    baseline: KernelAccount | None
    parent: KernelAccount | None
    best: KernelAccount | None
    candidates: tuple[CandidateAccount, ...]
    critiques: tuple[RoundWords, ...]
    notices: tuple[str, ...]
    credit: tuple[FeatureCredit, ...]
    budget: Budgeted
    exploration: Exploration | None
    roofline: Roofline | None
    no_roofline: str

    @property
    def kernels(self) -> tuple[KernelAccount, ...]:
        """Baseline, parent of the best and best, as far as there are any."""
        return tuple(one for one in (self.baseline, self.parent, self.best) if one is not None)


class ComparisonAccount(_Fact):
    """Two runs by the same parts; `unlike` says what makes their latencies incomparable."""

    kind: Literal["comparison"] = "comparison"
    first: RunAccount
    second: RunAccount
    unlike: tuple[str, ...]


class CheckAccount(_Fact):
    """One judgement."""

    kind: Literal["check"] = "check"
    task: str
    summary: str
    task_sha: str
    device: str
    isolation: str
    provenance: Provenance
    kernel: KernelAccount
    baseline_text: str


class CheckedKernel(_Fact):
    """What became of one kernel of many.

    Attributes:
        kernel: Its path.
        message: Why, in words.
        slower: It is right, and slower than before.
        check: Its judgement; None where it could not be judged at all.
    """

    kernel: str
    task: str
    verdict: Verdict
    message: str
    slower: bool
    check: CheckAccount | None

    @property
    def ok(self) -> bool:
        """Whether it is right and no slower."""
        return self.verdict is Verdict.PASS and not self.slower


class ChecksAccount(_Fact):
    """Many judgements by one toolbox."""

    kind: Literal["checks"] = "checks"
    device: str
    isolation: str
    provenance: Provenance
    kernels: tuple[CheckedKernel, ...]


Account = RunAccount | ComparisonAccount | CheckAccount | ChecksAccount
