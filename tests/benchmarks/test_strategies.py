"""Strategies are compared over kernels that were judged before."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from agent.composer.space import Space
from agent.home import Home
from agent.niches import Niche, niche_of
from benchmarks.strategies.comparison import best_or_close, by_task, curve
from benchmarks.strategies.judged import JudgedKernel
from benchmarks.strategies.replay import UNIFORM, Replay, profile_of, replay
from benchmarks.strategies.tasks import HELD_OUT, TASKS, write
from sandbox.device import Bottleneck
from sandbox.verdict import Provenance, Verdict
from tools.reports import CheckReport

GAINS = {"shared_memory_tiling": 0.5, "bank_conflict_padding": 0.7, "vectorized_loads": 0.9}


@pytest.mark.parametrize("memory", ["narrow", "wide", "narrow+shared", "wide+shared"])
@pytest.mark.parametrize("decomposition", ["one launch, thin", "several, medium", "one launch, thick"])
def test_what_the_table_keeps_of_a_kernel_is_what_a_search_sees_of_it(
    memory: str, decomposition: str
) -> None:
    niche = Niche(Bottleneck.DRAM, memory, decomposition, 0.5, 8.0)
    profile = profile_of(JudgedKernel("t", "s", (), 10.0, niche))
    report = CheckReport(Verdict.PASS, "t", "sim:h200", Provenance.ESTIMATED, "", profile=profile)
    assert niche_of(report) == niche
    assert profile.latency_us == 10.0


def test_there_are_ten_tasks_or_more_of_every_family_that_the_composer_knows(tmp_path: Path) -> None:
    families = {name: Space(write(name, tmp_path / name)).family for name in TASKS}
    assert len(TASKS) >= 10
    assert set(families.values()) == {"row program", "transpose", "matrix product", "program of nests"}
    assert {families[name] for name in HELD_OUT} >= {"matrix product", "program of nests"}


async def test_a_search_is_replayed_over_the_table_and_never_gets_worse(tmp_path: Path) -> None:
    task = write("transpose", tmp_path / "task")
    kernels = {
        (task.name, sha): JudgedKernel(
            task.name,
            sha,
            features,
            us := 100.0 * math.prod(GAINS.get(name, 1.0) for name in features),
            Niche(Bottleneck.DRAM, "narrow", "one launch, thin", 0.1, us),
        )
        for sha, features in Space(task).by_sha.items()
    }
    for name in ("tree", UNIFORM):
        found = await replay(task, name, 1, kernels, Home(tmp_path / name), (2, 3))
        assert found.optimum_us == pytest.approx(31.5)
        assert len(found.best_us) == 6
        assert list(found.best_us) == sorted(found.best_us, reverse=True)
        assert found.best_us[-1] < 100.0


def test_a_strategy_counts_as_best_within_two_percent() -> None:
    replays = [
        Replay("a", "auto", 1, (2.0, 1.01), 1.0),
        Replay("a", "fsr", 1, (1.5, 1.0), 1.0),
        Replay("b", "auto", 1, (2.0, 1.1), 1.0),
        Replay("b", "fsr", 1, (1.5, 1.0), 1.0),
    ]
    assert by_task("auto", replays) == {"a": pytest.approx(1.01), "b": pytest.approx(1.1)}
    assert best_or_close("auto", ["fsr"], replays) == 1
    assert curve("fsr", replays).after == (pytest.approx(1.5), pytest.approx(1.0))
    assert curve("fsr", replays).area == pytest.approx(math.sqrt(1.5))
