"""Typed reports of the tools. Plain dataclasses: a GPU machine without pydantic can make them too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sandbox.device import Bottleneck, Breakdown, Cause, Fault, LaunchProfile
from sandbox.program import Diagnostic, KernelResources
from sandbox.proof.opinion import LaunchProof, Opinion
from sandbox.verdict import PairedVerdict, Provenance, Verdict


@dataclass(frozen=True)
class Mismatch:
    """One wrong element: where, what came out, what was expected, and the error bound there."""

    output: str
    index: tuple[int, ...]
    got: float | int | str
    expected: float | int | str
    bound: float


LAX_TOLERANCE = 1e-2
"""By default SOL-ExecBench and flashinfer-bench call an element right within this + this * |expected|."""
LAX_RATIO = 0.99
"""The share of elements that have to be so."""


@dataclass(frozen=True)
class Closeness:
    """How near results are to a reference as public benchmarks measure it; None is beyond every tolerance.

    Attributes:
        absolute: The largest error.
        relative: The largest error over the larger of |expected| and 0.01.
        all_within: The least t such that every element is within t + t * |expected|.
        most_within: The least t such that 99 percent of the elements are.
    """

    absolute: float | None
    relative: float | None
    all_within: float | None
    most_within: float | None

    def lax_pass(self, tolerance: float = LAX_TOLERANCE, ratio: float = LAX_RATIO) -> bool:
        """Whether a benchmark with this tolerance calls it right; ratios above 0.99 ask for every element."""
        within = self.most_within if ratio <= LAX_RATIO else self.all_within
        return within is not None and within <= tolerance


@dataclass(frozen=True)
class SourceLine:
    """A line of the kernel file that a failure is about."""

    number: int
    text: str


@dataclass(frozen=True)
class CaseReport:
    """One test case under one seed, or one of several failures that it showed.

    Attributes:
        dims: Sizes of the case.
        wrong: Elements outside the bound; `unwritten` of them still held the poison.
        worst_ratio: Largest error over its bound, over all elements; at most 1 passes. None where not compared.
        first: The first few wrong elements in row-major order.
        lines: Of the kernel file, that the fault is about.
        closeness: To the reference by the rules of public benchmarks; None where not compared.
    """

    dims: dict[str, int]
    seed: int
    verdict: Verdict
    message: str
    wrong: int = 0
    unwritten: int = 0
    total: int = 0
    worst_ratio: float | None = None
    first: tuple[Mismatch, ...] = ()
    fault: Fault | None = None
    lines: tuple[SourceLine, ...] = ()
    closeness: Closeness | None = None


@dataclass(frozen=True)
class Suspicion:
    """A construct that honest kernels seldom need; no verdict comes of it.

    Attributes:
        line: In the kernel file; None where it has none.
        why: What it could be used for.
    """

    construct: str
    line: int | None
    why: str


@dataclass(frozen=True)
class CompileReport:
    """Outcome of the parse and compile stages."""

    verdict: Verdict
    message: str
    diagnostics: tuple[Diagnostic, ...] = ()
    resources: tuple[KernelResources, ...] = ()
    architecture: str = ""
    cached: bool = False
    ptx_key: str = ""
    """sha256 of the PTX without debug lines: candidates with the same one are one candidate."""
    suspicions: tuple[Suspicion, ...] = ()


@dataclass(frozen=True)
class TestReport:
    """Outcome of judging results over all cases and seeds.

    Attributes:
        cases: Those that passed, then every independent failure, the most serious first: verdict and message are its.
        not_judged: Benchmark shapes at which nobody knows whether the results are right: they were only counted.
        sampled: Benchmark shapes at which only what a sample of blocks wrote was judged.
    """

    __test__ = False  # not a pytest class

    verdict: Verdict
    message: str
    cases: tuple[CaseReport, ...] = ()
    cases_total: int = 0
    not_judged: tuple[dict[str, int], ...] = ()
    sampled: tuple[dict[str, int], ...] = ()

    @property
    def failures(self) -> tuple[CaseReport, ...]:
        """The failures among the cases."""
        return tuple(case for case in self.cases if case.verdict is not Verdict.PASS)


@dataclass(frozen=True)
class Timing:
    """How a latency was measured; absent from estimates. Times in microseconds.

    Attributes:
        pairs: Cold samples, each beside one of the baseline's.
        speedup: Median of the ratios pair by pair, with its 95 percent bootstrap interval.
        p10_us: A tenth of the samples took at most this.
        p90_us: A tenth took at least this.
        warm_us: One run among many back to back, replayed as a graph.
        gap_us: What a launch from the host adds to that.
        empty_us: An empty kernel timed like the candidate: what of the latency is the launch.
        clock_mhz: Median clock of a multiprocessor.
        noise: By how much the baseline differs from itself when it is timed beside itself, relative; None where
            that was not measured.
        dropped: Pairs left out because the clock changed.
        judged: Outputs of timed runs that were judged; `unkept` runs left others, which were not.
        notes: What should give pause.
        conditions: Clocks, heat and throttling before and after.
        against_baseline: What all of that says of the candidate beside the baseline.
    """

    pairs: int
    speedup: float
    speedup_low: float
    speedup_high: float
    p10_us: float
    p90_us: float
    warm_us: float | None
    gap_us: float | None
    empty_us: float
    clock_mhz: float
    dropped: int
    judged: int
    unkept: int
    notes: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    noise: float | None = None
    against_baseline: PairedVerdict | None = None


@dataclass(frozen=True)
class ShapeTiming:
    """Latency at one benchmark shape."""

    dims: dict[str, int]
    latency_us: float
    provenance: Provenance
    baseline_us: float | None = None
    launches: tuple[LaunchProfile, ...] = ()
    timing: Timing | None = None


@dataclass(frozen=True)
class ProfileReport:
    """Outcome of the benchmark and profile stages.

    Attributes:
        latency_us: Geometric mean over the benchmark shapes, microseconds.
        speedup: Baseline latency over this latency, geometric mean, same device and same call.
        error: Of an estimate: the part of itself within which two of three are, as published times of kernels bound
            by the same show. None where that is not known.
    """

    verdict: Verdict
    message: str
    latency_us: float | None = None
    provenance: Provenance = Provenance.ESTIMATED
    speedup: float | None = None
    shapes: tuple[ShapeTiming, ...] = ()
    bottleneck: Bottleneck = Bottleneck.UNKNOWN
    roofline_fraction: float | None = None
    error: float | None = None

    @property
    def against_baseline(self) -> PairedVerdict | None:
        """What paired runs say of the kernel beside the baseline, where they say the same at every shape."""
        told = {None if shape.timing is None else shape.timing.against_baseline for shape in self.shapes}
        if not told or None in told:
            return None
        return told.pop() if len(told) == 1 else PairedVerdict.INCONCLUSIVE


@dataclass(frozen=True)
class HazardReport:
    """Outcome of looking for hazards; a pass says only that the tools named found none on what they saw."""

    verdict: Verdict
    message: str
    tools: tuple[str, ...] = ()
    fault: Fault | None = None


@dataclass(frozen=True)
class ProofReport:
    """A static verifier's opinion, for every schedule of each launch; it stands beside the verdict.

    Attributes:
        opinion: Of all launches: contradicted where one is, proved where all are.
        dims: The test case whose launches they are.
    """

    opinion: Opinion
    message: str
    dims: dict[str, int]
    launches: tuple[LaunchProof, ...] = ()


@dataclass(frozen=True)
class StageReport:
    """One line of a judgement: stage name, its verdict, its message, how long it took."""

    name: str
    verdict: Verdict
    message: str
    seconds: float


@dataclass(frozen=True)
class SweptSetting:
    """One setting of a sweep.

    Attributes:
        tune: The tunables' values.
        verdict: Of the profile, or of the test where the setting was fast enough to be tested.
        latency_us: Microseconds; None where it could not be timed.
        registers: A thread's, at most over the kernels; None where nobody asked the assembler.
        spilled: Bytes of registers spilled, over the kernels; likewise.
        message: Why it failed; empty where it did not.
    """

    tune: dict[str, int]
    verdict: Verdict
    latency_us: float | None = None
    registers: int | None = None
    spilled: int | None = None
    message: str = ""


@dataclass(frozen=True)
class CheckReport:
    """The judgement on one kernel file: stages in order, each gating the next.

    Attributes:
        tune: The tunable values judged (after a sweep: the chosen ones).
        isolation: bubblewrap, docker or process.
        bench: Whether the results are right at the benchmark shapes too; None where that was not asked.
        proof: Whether every schedule is free of races; None where that was not asked.
        hazards: What tools that look for hazards found; None where that was not asked.
        kernel_sha: sha256 of the kernel file's text.
        baseline: What is wrong with the task's own baseline; the kernel was judged by the least error bound then.
        not_judged: Benchmark shapes that were timed, but at which nobody knows whether the results are right.
        settings: Every setting that a sweep tried, in the order of the file's values.
        final: The times at the task's final sizes, that no search sees; None where they were not asked.
        accepted: What paired runs of its own said of a search's winner beside the baseline; None without a GPU.
    """

    verdict: Verdict
    task: str
    device: str
    provenance: Provenance
    message: str
    stages: tuple[StageReport, ...] = ()
    compile: CompileReport | None = None
    test: TestReport | None = None
    profile: ProfileReport | None = None
    tune: dict[str, int] = field(default_factory=dict[str, int])
    isolation: str = ""
    kernel_sha: str = ""
    task_sha: str = ""
    swept: int = 0
    bench: TestReport | None = None
    hazards: HazardReport | None = None
    baseline: str = ""
    not_judged: tuple[dict[str, int], ...] = ()
    proof: ProofReport | None = None
    settings: tuple[SweptSetting, ...] = ()
    final: ProfileReport | None = None
    accepted: PairedVerdict | None = None


AnyReport = CompileReport | TestReport | ProfileReport | CheckReport
"""What carrying out an order on one kernel gives."""


_CAUSES: Mapping[Cause, str] = {
    Cause.SCATTERED_LOADS: "loads coalesced",
    Cause.SCATTERED_STORES: "stores coalesced",
    Cause.BANK_CONFLICTS: "no bank conflicts",
    Cause.CONTENTION: "no two atomics at one address",
    Cause.BARRIERS: "no barriers",
    Cause.UNEVEN_BLOCKS: "all blocks as long as the average one",
    Cause.LOW_OCCUPANCY: "twice as many blocks resident",
    Cause.READ_AGAIN: "nothing read twice from DRAM",
}
_PARTS = 6


def breakdown_text(found: Breakdown) -> str:
    """Return an estimate's parts, as in `dram 9.6, launch 2.0; least possible 7.3; with its data in L2 5.2 us`."""
    parts = [f"{part.resource} {part.us:.3g}" for part in found.parts[:_PARTS]]
    whole = [", ".join([*parts, f"launch {found.launch_us:.3g}"]), f"least possible {found.least_us:.3g}"]
    if found.warm_us is not None:
        whole.append(f"with its data in L2 {found.warm_us:.3g}")
    return f"{'; '.join(whole)} us"


def what_if_text(found: Breakdown) -> str:
    """Return what would be gained, as in `stores coalesced: 8.2 us; no barriers: 9 us`; empty where nothing."""
    return "; ".join(f"{cause_text(one.cause)}: {one.latency_us:.3g} us" for one in found.what_ifs)


def cause_text(cause: Cause) -> str:
    """Return what a launch would be like without a cause, as in `stores coalesced`."""
    return _CAUSES[cause]


def confidence_text(error: float | None, bottleneck: Bottleneck) -> str:
    """Return how far off such estimates are, as in `about 10 percent for kernels bound by dram`."""
    return "" if error is None else f"about {100 * error:.0f} percent for kernels bound by {bottleneck}"


def sizes_text(dims: Mapping[str, int]) -> str:
    """Return sizes in words, as in `m=4, n=7`."""
    return ", ".join(f"{name}={size}" for name, size in dims.items())


def not_judged_text(verdict: Verdict | None, shapes: Iterable[Mapping[str, int]]) -> str:
    """Return what a pass is short of, as in ` (not judged at m=4, n=7; m=4, n=8)`; empty where of nothing."""
    said = "; ".join(map(sizes_text, shapes))
    return f" (not judged at {said})" if said and verdict is Verdict.PASS else ""
