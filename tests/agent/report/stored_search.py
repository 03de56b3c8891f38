"""Searches as a store keeps them, made without judging anything: of any size, and in anybody's words."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from agent.budget import SearchBudget
from agent.candidates import CandidatePlan, Submission
from agent.events import Noticed, RoundFinished
from agent.results import RunState, SearchRequest, Stop
from agent.store import NewRun, Store
from agent.store.replies import Reply, ReplyKey
from sandbox.device import Bottleneck, Breakdown, Cause, Hotspot, LaunchProfile, Metric, Part, WhatIf
from sandbox.program import KernelResources
from sandbox.verdict import Provenance, Verdict
from tests.agent.search_fakes import kernel
from tools.reports import (
    CaseReport,
    CheckReport,
    CompileReport,
    ProfileReport,
    ShapeTiming,
    StageReport,
    SweptSetting,
    TestReport,
)
from tools.tasks.folder import load

FEATURES = (
    "shared_memory_tiling",
    "vectorized_loads",
    "loop_unrolling",
    "register_blocking",
    "grid_stride_loop",
)
PLAIN = "Builds on what was fastest; nothing is known of these together."
ROUND = 4


def report(us: float, baseline_us: float, words: str = "fine") -> CheckReport:
    """A report of a kernel that passed, with everything that a page shows."""
    dims = {"n": 4096}
    parts = (Part(Bottleneck.DRAM, 0.8 * us), Part(Bottleneck.L1, 0.5 * us))
    breakdown = Breakdown(parts, 2.0, 0.6 * us, (WhatIf(Cause.BANK_CONFLICTS, 0.9 * us),), 0.14)
    metrics = tuple(
        Metric(f"dram__bytes_{way}.sum", 16384.0, "byte", Provenance.ESTIMATED) for way in ("read", "write")
    )
    hot = Hotspot(6, "ld.global", "sectors per request", 16.0, 0.75, words)
    launch = LaunchProfile(
        *("twice", 2, us, Provenance.ESTIMATED, Bottleneck.DRAM, 0.6, 8, 32, metrics, (hot,)),
        breakdown=breakdown,
    )
    shape = ShapeTiming(dims, us, Provenance.ESTIMATED, baseline_us, (launch,))
    speedup = baseline_us / us
    return CheckReport(
        Verdict.PASS,
        "twice",
        "sim:h200",
        Provenance.ESTIMATED,
        words,
        stages=(
            StageReport("compile", Verdict.PASS, words, 0.5),
            StageReport("test", Verdict.PASS, words, 1.5),
        ),
        compile=CompileReport(
            Verdict.PASS, words, (), (KernelResources("twice", "twice", 31, 64, 0, 0, 0),), "sm_90"
        ),
        test=TestReport(
            Verdict.PASS, words, (CaseReport({"n": 33}, 7, Verdict.PASS, "", 0, 0, 33, 0.25),), 1
        ),
        profile=ProfileReport(
            *(Verdict.PASS, words, us, Provenance.ESTIMATED, speedup, (shape,), Bottleneck.DRAM, 0.6, 0.14)
        ),
        tune={"BLOCK": 128},
        isolation="bubblewrap",
        settings=(
            SweptSetting({"BLOCK": 128}, Verdict.PASS, us, 31, 0),
            SweptSetting({"BLOCK": 64}, Verdict.RACE),
        ),
        swept=2,
    )


def search(store: Store, task: Path, count: int, words: str = PLAIN, *, ended: bool = True) -> str:
    """Store a search of so many candidates, each built on an earlier correct one; every fifth fails."""
    drawn, known = random.Random(5), load(task)
    request = SearchRequest(task=str(task), budget=SearchBudget(max_tokens=10_000_000))
    run = store.create(
        NewRun(*(request, known.name, task, known.sha, "sim:h200", "bubblewrap", words, 7), strategy="tree")
    )
    base = store.kernels.keep(run, known.baseline)
    store.candidates.add(run, Submission(0, 0, CandidatePlan(None, (), "the task's baseline"), base))
    baseline = report(100.0, 100.0)
    store.candidates.judge(run, Submission(0, 0, CandidatePlan(), base).checked(baseline, None))
    store.runs.keep_baseline(run, baseline)
    shas, best = [base], None
    for number in range(count):
        round_, candidate = number // ROUND + 1, number % ROUND + 1
        text = kernel(f"{number} {words}")
        sha = store.kernels.keep(run, text)
        features = tuple(drawn.sample(FEATURES, 2)) if words is PLAIN else (words, FEATURES[0])
        plan = CandidatePlan(drawn.choice(shas), features, words)
        submission = Submission(round_, candidate, plan, sha, features)
        store.candidates.add(run, submission)
        if number % 5 == 4:
            store.candidates.judge(run, submission.judged(Verdict.WRONG_RESULT, f"30 of 33 wrong. {words}"))
        else:
            found = report(round(100.0 / (1 + drawn.random() * (number + 2) / count), 3), 100.0, words)
            trial = submission.checked(replace(found, kernel_sha=sha), 100.0)
            store.candidates.judge(run, trial)
            shas.append(sha)
            if best is None or (trial.latency_us or 0) < (best.latency_us or 0):
                best = trial
                store.candidates.set_best(run, trial, sha)
        if candidate == ROUND:
            store.event_log.append(RoundFinished(run=run, round=round_, critique=words))
    store.event_log.append(Noticed(run=run, message=words))
    store.replies(run).keep(ReplyKey(1, 1, "coder", "p"), Reply("x", 1000, 200, usd=0.25, model=words))
    if ended:
        store.runs.end(run, RunState.COMPLETED, Stop.DEPTH, seconds=12.0)
    return run


def grow(database: Path, run: str, times: int) -> None:
    """Append copies of a search's candidates as later rounds: each copy a line of kernels of its own."""
    copied = "run, round + {0} * (SELECT max(round) FROM candidates WHERE run = :run), candidate"
    named = "iif({1} = (SELECT sha FROM candidates WHERE run = :run AND round = 0), {1}, printf('%04d', {0}) || substr({1}, 5))"
    same = (
        "features, why, verdict, message, latency_us, provenance, speedup, tune, origin, used_features, niche"
    )
    with closing(sqlite3.connect(database)) as connection, connection:
        rows = [
            f"SELECT {copied.format(copy)}, {named.format(copy, 'sha')}, {named.format(copy, 'parent')}, {same}"
            f" FROM candidates WHERE run = :run AND round > 0"
            for copy in range(1, times)
        ]
        connection.execute(
            f"INSERT INTO candidates (run, round, candidate, sha, parent, {same}) {' UNION ALL '.join(rows)}",
            {"run": run},
        )
        kept = [
            f"SELECT {copied.format(copy)}, report FROM reports WHERE run = :run AND round > 0"
            for copy in range(1, times)
        ]
        connection.execute(
            f"INSERT INTO reports (run, round, candidate, report) {' UNION ALL '.join(kept)}", {"run": run}
        )
