"""Searches over judged kernels: the product's own graph, store and composer; only the tools answer from a table."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast

from agent.candidates import CandidatePlan
from agent.composer import Composer
from agent.composer.space import Space
from agent.home import Home
from agent.niches import NARROW, ONE_LAUNCH, READ, SHARED_READ, WIDE, Niche
from agent.proposer import PlanContext
from agent.results import SearchRequest
from agent.search.starting import start_search
from agent.store.files import kernel_sha
from agent.strategy_names import StrategyName
from benchmarks.strategies.judged import JudgedKernel
from sandbox.device import Breakdown, Cause, LaunchProfile, Metric, WhatIf
from sandbox.verdict import Provenance, Verdict
from tools.reports import AnyReport, CheckReport, CompileReport, ProfileReport, ShapeTiming, TestReport
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, CompileOrder, Order, Toolbox

R = TypeVar("R")
UNIFORM = "uniform"
"""Not a strategy of the product: any variant that was not tried is as good as another."""
_EXECUTED = {"thin": 1.0, "medium": 1000.0, "thick": 100000.0}


class RecordedToolbox(Toolbox):
    """Answers checks of the composer's kernels from the table."""

    def __init__(self, kernels: Mapping[tuple[str, str], JudgedKernel]) -> None:
        self._kernels = kernels

    @property
    def device(self) -> str:
        """The device that judged."""
        return "sim:h200"

    @property
    def isolation(self) -> str:
        """None is needed to read a table."""
        return "recorded"

    async def do(self, order: Order[Task, R]) -> R:
        """Answer an order; a kernel that is not in the table is an error of the benchmark."""
        return cast("R", self._report(order))

    def _report(self, order: Order[Task, Any]) -> AnyReport:
        assert isinstance(order, CompileOrder | CheckOrder), "a search compiles and checks"
        sha = kernel_sha(order.kernel)
        compiled = CompileReport(Verdict.PASS, "", architecture="sm_90", ptx_key=sha)
        if isinstance(order, CompileOrder):
            return compiled
        profile = profile_of(self._kernels[order.task.name, sha])
        return CheckReport(
            profile.verdict,
            order.task.name,
            self.device,
            Provenance.ESTIMATED,
            profile.message,
            compile=compiled,
            test=TestReport(profile.verdict, ""),
            profile=profile,
            kernel_sha=sha,
        )

    async def aclose(self) -> None:
        """There is nothing to stop."""


def profile_of(kernel: JudgedKernel) -> ProfileReport:
    """Return a profile that says of a kernel what the table keeps of its own one."""
    if kernel.us is None or kernel.niche is None:
        return ProfileReport(Verdict.UNSUPPORTED, "the device did not time it")
    launches = (_launch(kernel.us, kernel.niche),)
    if not kernel.niche.decomposition.startswith(ONE_LAUNCH):
        launches = (
            *launches,
            LaunchProfile("", 1, 0.0, Provenance.ESTIMATED, kernel.niche.bottleneck, 0.0, 1, 1),
        )
    shape = ShapeTiming({}, kernel.us, Provenance.ESTIMATED, None, launches)
    return ProfileReport(
        Verdict.PASS,
        "",
        kernel.us,
        Provenance.ESTIMATED,
        shapes=(shape,),
        bottleneck=kernel.niche.bottleneck,
        roofline_fraction=kernel.niche.roofline or None,
    )


def _launch(us: float, niche: Niche) -> LaunchProfile:
    width = 16.0 if niche.memory.startswith(WIDE) else 4.0
    values = {READ: width, "launch__grid_size": 1.0, "launch__block_size": 1.0}
    if not niche.memory.endswith((WIDE, NARROW)):
        values[SHARED_READ] = 1.0
    cured = WhatIf(Cause.BARRIERS, niche.promise_us)
    return LaunchProfile(
        "",
        1,
        us,
        Provenance.ESTIMATED,
        niche.bottleneck,
        niche.roofline,
        1,
        1,
        metrics=tuple(Metric(name, value, "", Provenance.COUNTED) for name, value in values.items()),
        executed=_EXECUTED[niche.decomposition.rpartition(" ")[2]],
        breakdown=Breakdown((), 0.0, 0.0, (cured,), 0.0),
    )


class QuickComposer(Composer):
    """The composer; what it can write for a task is worked out once for all searches."""

    _spaces: ClassVar[dict[str, Space]] = {}

    def space(self, task: Task) -> Space:
        """Return every kernel that can be written for a task."""
        if task.sha not in self._spaces:
            self._spaces[task.sha] = Space(task)
        return self._spaces[task.sha]


class UniformChoice(QuickComposer):
    """A composer that takes any variant of the space that was not tried, each as likely."""

    async def plan(self, context: PlanContext) -> list[CandidatePlan]:
        """Draw variants, each begun afresh."""
        space = self.space(context.task)
        tried = {space.by_sha.get(trial.sha or "") for trial in context.history}
        left = [features for features in dict.fromkeys(space.by_sha.values()) if features not in tried]
        chosen = random.Random(context.seed).sample(left, min(context.candidates, len(left)))
        return [CandidatePlan(None, features, "drawn") for features in chosen]


@dataclass(frozen=True)
class Replay:
    """One search: the best latency after each candidate, in microseconds, beside the best that the space holds."""

    task: str
    strategy: str
    seed: int
    best_us: tuple[float, ...]
    optimum_us: float

    @property
    def regret(self) -> tuple[float, ...]:
        """How many times slower than the optimum the best was after each candidate."""
        return tuple(us / self.optimum_us for us in self.best_us)


async def replay(
    task: Task,
    strategy: str,
    seed: int,
    kernels: Mapping[tuple[str, str], JudgedKernel],
    home: Home,
    rounds: tuple[int, int],
) -> Replay:
    """Run one search to its depth.

    Args:
        task: On disk.
        strategy: By name; UNIFORM for none.
        seed: Of the run.
        kernels: What the tools answer.
        home: What earlier runs of it earned is believed.
        rounds: Candidates of a round, and rounds.
    """
    named = StrategyName.FSR if strategy == UNIFORM else StrategyName(strategy)
    request = SearchRequest(
        task=str(task.folder),
        candidates=rounds[0],
        depth=rounds[1],
        strategy=named,
        patience=rounds[1],
        seed=seed,
    )
    proposer = UniformChoice() if strategy == UNIFORM else QuickComposer()
    found = await start_search(request, home=home, toolbox=RecordedToolbox(kernels), proposer=proposer)
    start = kernels[task.name, kernel_sha(task.baseline)].us or float("inf")
    best: list[float] = []
    for trial in found.candidates:
        start = min(start, trial.latency_us or float("inf"))
        best.append(start)
    best += [start] * (rounds[0] * rounds[1] - len(best))
    optimum = min(one.us for one in kernels.values() if one.task == task.name and one.us)
    return Replay(task.name, strategy, seed, tuple(best), optimum)
