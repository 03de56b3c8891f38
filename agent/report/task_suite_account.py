"""The facts of a suite's report, as frozen models; `--json` prints them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agent.report.account import Figure
from sandbox.verdict import Provenance, Verdict


class _SuiteFact(BaseModel):
    model_config = ConfigDict(frozen=True)


class SuiteRow(_SuiteFact):
    """What became of one task.

    Attributes:
        shapes: The sizes that latency is about; none, nor a SOL score, where the task was changed since.
        runs: Its searches, one a seed.
        state: `waiting` where none began, `running` while one is at work, else how the searches ended.
        verdict: PASS where a correct kernel was found, else the last candidate's; None where there was none.
        message: Why there is no kernel; empty where there is one, or may still be.
        baseline: Latency of the task's own plain kernel.
        latency: Of the best kernel, of all seeds.
        speedup: Baseline over best; of each seed in `speedups`.
        roofline: Least possible time over time taken, of the best kernel's launches.
        least: What the task's least bytes and operations take at the device's peak rates.
        sol_score: 1 / (1 + (T - T_SOL) / (T_b - T_SOL)), T_SOL being `least`; None where peak rates are not known.
        held_out: Speedup at the task's final sizes, which no search sees.
        not_judged: Benchmark shapes at which the best kernel's results were only counted.
        candidates: Judged ones; `correct` of them passed.
        first_round: Candidates of the first rounds, which saw no other's judgement, and how many of them passed.
        tokens: What chat models read and wrote; `usd` for that, None where no price is known.
        seconds: Work on all seeds.
        published: Speedups that others publish, in the order of the suite's cards.
    """

    task: str
    summary: str
    shapes: tuple[dict[str, int], ...]
    runs: tuple[str, ...]
    state: str
    verdict: Verdict | None
    message: str
    baseline: Figure | None = None
    latency: Figure | None = None
    speedup: Figure | None = None
    speedups: tuple[float | None, ...] = ()
    roofline: Figure | None = None
    least: Figure | None = None
    sol_score: float | None = None
    bottleneck: str = ""
    features: tuple[str, ...] = ()
    held_out: Figure | None = None
    not_judged: tuple[dict[str, int], ...] = ()
    candidates: int = 0
    correct: int = 0
    first_round: tuple[int, int] = (0, 0)
    tokens: int = 0
    usd: float | None = 0.0
    seconds: float = 0.0
    published: tuple[float, ...] = ()


class Speedups(_SuiteFact):
    """Speedups of several tasks: of ours with 1 for each task without a kernel, or of those that others publish."""

    of: str
    geometric_mean: float | None
    median: float | None
    most: float | None
    below_one: int


class SolvedShare(_SuiteFact):
    """A share of the tasks, 0 to 1, at a threshold: p of fast_p, k of pass@k."""

    at: float
    share: float


class TaskSuiteAccount(_SuiteFact):
    """One suite.

    Attributes:
        solved: Tasks with a correct kernel.
        fast: Share of tasks with a correct kernel more than p times as fast as the baseline, as KernelBench has it.
        passed: Chance that one of k candidates of a first round is correct, the mean over tasks.
        published: Speedups that others publish, card by card, on other hardware and over other baselines.
    """

    kind: Literal["task_suite"] = "task_suite"
    suite: str
    name: str
    summary: str
    created: datetime
    device: str
    isolation: str
    model: str
    strategy: str
    candidates: int
    depth: int
    seeds: int
    provenance: Provenance
    cards: tuple[str, ...]
    rows: tuple[SuiteRow, ...]
    solved: int
    ours: Speedups
    published: tuple[Speedups, ...]
    fast: tuple[SolvedShare, ...]
    passed: tuple[SolvedShare, ...]
    judged: int
    tokens: int
    usd: float | None
    seconds: float
