"""What was found, and how it is written: one JSON file with all of it, and the tables for people in Markdown."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.gpu.instruction_tests import Agreement
from benchmarks.gpu.tables import number, table
from benchmarks.ranking.ranks import spearman
from sandbox.facts import Fact
from sandbox.nsight.ceilings import MeasuredRates

SHOULD_BE_EXACT = (
    "smsp__inst_executed.sum",
    "l1tex__average_t_sectors_per_request_pipe_lsu_mem_global_op_ld.ratio",
    "l1tex__average_t_sectors_per_request_pipe_lsu_mem_global_op_st.ratio",
    "l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum",
    "launch__registers_per_thread",
    "sm__maximum_warps_per_active_cycle_pct",
)
"""Counts of which the aim is 5 percent."""


@dataclass(frozen=True)
class Count:
    """One metric of one launch on both sides; `difference` is (simulated - measured) / measured, None by nought."""

    launch: str
    metric: str
    unit: str
    measured: float
    simulated: float
    simulated_provenance: str
    difference: float | None


@dataclass(frozen=True)
class Kernel:
    """One kernel; times in microseconds, None where not known.

    Attributes:
        sha: sha256 of the kernel file; `task_sha` is that of the task folder.
    """

    group: str
    variant: str
    sha: str = ""
    task_sha: str = ""
    verdict: str = ""
    message: str = ""
    measured_us: float | None = None
    measured_provenance: str = ""
    measured_bottleneck: str = ""
    measured_roofline: float | None = None
    speedup: float | None = None
    estimated_us: float | None = None
    estimated_bottleneck: str = ""
    counts: tuple[Count, ...] = ()


@dataclass(frozen=True)
class SameResults:
    """One task's baseline on both devices: equal elements of all, and whether both pass the task's judge."""

    group: str
    equal: int = 0
    total: int = 0
    worst_difference: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class LibraryTime:
    """What a library takes at one size, microseconds, measured here; None where it was not.

    Attributes:
        eager_us: PyTorch, as it is; `compile_us` by torch.compile.
        elsewhere_eager_us: What KernelBench's authors publish for an H100 at that size, likewise by torch.compile.
        unlike: What their problem computes instead, where it is not the same.
        problem: Why it could not be timed.
    """

    task: str
    dims: dict[str, int]
    eager_us: float | None = None
    compile_us: float | None = None
    elsewhere_eager_us: float | None = None
    elsewhere_compile_us: float | None = None
    unlike: str = ""
    problem: str = ""

    @property
    def sizes(self) -> str:
        """The size in words."""
        return ", ".join(f"{name}={size}" for name, size in self.dims.items())

    @property
    def best_us(self) -> float | None:
        """The faster of the two."""
        return min((one for one in (self.eager_us, self.compile_us) if one is not None), default=None)


@dataclass
class Results:
    """Everything, as far as the time allowed; `skipped` says what it did not.

    Attributes:
        device: What the driver says of the GPU: its name, the driver's version, clocks, power.
    """

    gpu: str
    simulator: str
    command: str
    date: str
    device: str = ""
    facts: list[Fact] = field(default_factory=list[Fact])
    ceilings: MeasuredRates | None = None
    instructions: list[Agreement] = field(default_factory=list[Agreement])
    same_results: list[SameResults] = field(default_factory=list[SameResults])
    kernels: list[Kernel] = field(default_factory=list[Kernel])
    libraries: list[LibraryTime] = field(default_factory=list[LibraryTime])
    skipped: list[str] = field(default_factory=list[str])
    seconds: float = 0.0


def correlations(kernels: Sequence[Kernel]) -> dict[str, float | None]:
    """Spearman's correlation of estimated and measured time, of each group with two kernels or more and of all."""
    both = [one for one in kernels if one.measured_us and one.estimated_us]
    groups = {
        name: [one for one in both if one.group == name] for name in dict.fromkeys(k.group for k in both)
    }
    groups = {name: group for name, group in groups.items() if len(group) > 1} | {"all": both}
    return {
        name: spearman([one.estimated_us or 0.0 for one in group], [one.measured_us or 0.0 for one in group])
        for name, group in groups.items()
    }


def write(results: Results, folder: Path) -> None:
    """Write gpu.json and gpu.md; done after every part, so that what was found is there whatever happens."""
    folder.mkdir(parents=True, exist_ok=True)
    found = asdict(results) | {"spearman": correlations(results.kernels)}
    (folder / "gpu.json").write_text(json.dumps(found, indent=1) + "\n")
    (folder / "gpu.md").write_text(markdown(results))


def markdown(results: Results) -> str:
    """Return the tables."""
    parts = [
        f"# {results.gpu} beside {results.simulator}\n",
        f"{results.device or 'Device unknown'}.\n",
        f"{results.date}, `{results.command}`, {results.seconds:.0f} s.\n",
        table("Machine", ("what", "", "value"), _facts(results)),
        table("Kernels", _KERNEL_HEADS, (_kernel(one) for one in results.kernels)),
        table("Libraries (measured)", _LIBRARY_HEADS, _libraries(results)),
        table("Spearman's rank correlation, estimated with measured", ("task", "rho"), _ranks(results)),
        table("Counts", _COUNT_HEADS, _counts(results.kernels)),
        table("Same results", ("task", "equal elements", "largest difference", "problem"), _same(results)),
        table(
            "Instructions", ("type", "expression", "equal", "worst ulp", "problem"), _instructions(results)
        ),
        table("Left out", ("what",), ((text,) for text in results.skipped)),
    ]
    return "\n".join(parts)


_KERNEL_HEADS = (
    "task", "kernel", "verdict", "measured us", "speedup", "bound by (measured)", "of roofline", "estimated us",
    "bound by (estimated)",
)  # fmt: skip
_LIBRARY_HEADS = (
    "task", "sizes", "torch us", "torch.compile us", "our best us", "library / ours", "torch us, H100, published",
    "torch.compile us, H100, published", "said",
)  # fmt: skip
_COUNT_HEADS = ("metric", "launches", "median difference", "largest", "within 5 %")


def _facts(results: Results) -> Iterable[tuple[str, str, str]]:
    for fact in results.facts:
        yield (
            fact.name,
            "ok" if fact.ok else "lacking",
            f"{fact.value}. {fact.advice}" if fact.advice else fact.value,
        )
    if results.ceilings is not None:
        reached = (
            f"{results.ceilings.copy_gbps:.0f} GB/s copied, {results.ceilings.fma_gflops:.0f} GFLOP/s float32"
        )
        yield "ceilings (measured)", "ok", reached


def _kernel(one: Kernel) -> tuple[str, ...]:
    verdict = one.verdict if one.verdict in {"", "pass"} else f"{one.verdict}: {one.message}"
    return (
        one.group, one.variant, verdict, number(one.measured_us), number(one.speedup), one.measured_bottleneck,
        "" if one.measured_roofline is None else f"{one.measured_roofline:.0%}", number(one.estimated_us),
        one.estimated_bottleneck,
    )  # fmt: skip


def _libraries(results: Results) -> Iterable[tuple[str, ...]]:
    """A line for each size of a task; ours is the fastest kernel that was measured at that very size."""
    for one in results.libraries:
        group = one.task if one.elsewhere_eager_us is None else f"{one.task} (KernelBench)"
        known = [
            kernel.measured_us
            for kernel in results.kernels
            if kernel.group == group and kernel.verdict == "pass" and kernel.measured_us is not None
        ]
        ours = min(known, default=None)
        ratio = None if ours is None or one.best_us is None else one.best_us / ours
        yield (
            one.task, one.sizes, number(one.eager_us), number(one.compile_us), number(ours), number(ratio),
            number(one.elsewhere_eager_us), number(one.elsewhere_compile_us), one.problem or one.unlike,
        )  # fmt: skip


def _ranks(results: Results) -> Iterable[tuple[str, str]]:
    for name, value in correlations(results.kernels).items():
        yield name, "too few" if value is None else f"{value:.3f}"


def _counts(kernels: Sequence[Kernel]) -> Iterable[tuple[str, ...]]:
    by_metric: dict[str, list[float]] = {}
    for count in (count for kernel in kernels for count in kernel.counts):
        if count.difference is not None:
            by_metric.setdefault(count.metric, []).append(abs(count.difference))
    ordered = sorted(by_metric, key=lambda name: (name not in SHOULD_BE_EXACT, name))
    for name in ordered:
        found = by_metric[name]
        within = sum(one <= 0.05 for one in found)
        mark = "**" if name in SHOULD_BE_EXACT else ""
        yield (
            f"{mark}{name}{mark}", str(len(found)), f"{statistics.median(found):.1%}", f"{max(found):.1%}",
            f"{within} of {len(found)}",
        )  # fmt: skip


def _same(results: Results) -> Iterable[tuple[str, ...]]:
    for one in results.same_results:
        yield one.group, f"{one.equal} of {one.total}", f"{one.worst_difference:.3g}", one.problem


def _instructions(results: Results) -> Iterable[tuple[str, ...]]:
    """A line for all that agree, and one for each that does not."""
    agree = [one for one in results.instructions if one.exact and one.equal == one.total and not one.problem]
    if agree:
        yield (
            "all",
            f"{len(agree)} of {sum(one.exact for one in results.instructions)} exact ones agree",
            "",
            "",
            "",
        )
    for one in results.instructions:
        if one not in agree:
            kind = "" if one.exact else " (approximate)"
            yield (
                one.dtype,
                f"`{one.expression}`{kind}",
                f"{one.equal} of {one.total}",
                f"{one.worst_ulp:.3g}",
                one.problem,
            )
