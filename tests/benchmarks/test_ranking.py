"""The estimate orders well-known pairs of kernels as GPUs do."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from functools import lru_cache

import numpy as np
import pytest

from benchmarks.ranking import __main__ as command
from benchmarks.ranking import families
from benchmarks.ranking.ranks import spearman
from sandbox.plan import Plan
from sandbox.program import Program
from sandbox.simulator import profiling
from sandbox.simulator.execute import running
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from tests.compiling import InProcess
from tests.exhaustive import EXHAUSTIVE
from tools.judge.oracle import bench_samples
from tools.stages.compiling import CompileStage
from tools.tasks.generators import inputs_for
from tools.tasks.task import Case

SMALLER = {"matmul": Case({"n": 1024})}
"""Shapes that are enough to tell; the others run at the task's benchmark shape."""


def build(device: str, family: str, variant: str, case: Case) -> tuple[Program, Plan]:
    task = families.task(family)
    stage = CompileStage(InProcess(), ARCHITECTURES[device].compute)
    compiled = asyncio.run(stage.compile(task, families.kernel(family, variant), case.dims))
    assert compiled.build is not None, compiled.report.message
    return compiled.build.program, compiled.build.plan({})


@lru_cache
def estimated(device: str, family: str, variant: str) -> float:
    """Estimated microseconds of a kernel file on a simulated GPU."""
    task = families.task(family)
    case = SMALLER.get(family, task.benches[0])
    program, plan = build(device, family, variant, case)
    result = profiling.profile(program, plan, bench_samples(task, case).buffers, device)
    assert result.latency_us is not None, result.fault
    return result.latency_us


DEVICES = ("h200", "a100", "gtx1660s") if EXHAUSTIVE else ("h200", "gtx1660s")
ASKED = [
    pytest.param(device, pair, id=f"{device}: {pair.reason}")
    for device in DEVICES
    for pair in families.PAIRS
    if pair.faster != "blocked" or device == "h200"  # it takes seconds; the command asks on every device
]


@pytest.mark.parametrize(("device", "pair"), ASKED)
def test_the_faster_of_a_well_known_pair_is_estimated_faster(device, pair):
    assert estimated(device, pair.family, pair.faster) < estimated(device, pair.family, pair.slower)


@pytest.mark.parametrize("family", families.VARIANTS)
def test_the_kernels_that_are_ranked_give_the_results_of_their_task(family):
    task = families.task(family)
    case = task.tests[-1]
    spec = importlib.util.spec_from_file_location(family, families.FOLDER / family / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    inputs = inputs_for(task, case, 7)
    expected = module.reference(**{name: np.float64(value) for name, value in inputs.items()}, **case.dims)
    flat = {name: value.reshape(-1) for name, value in inputs.items()}
    for variant in families.VARIANTS[family]:
        program, plan = build("h200", family, variant, case)
        result = running.run(program, plan, flat, 1)
        assert result.fault is None, result.fault
        for name, values in expected.items():
            assert np.allclose(result.outputs[name], values.reshape(-1), rtol=1e-4, atol=1e-2), (
                variant,
                name,
            )


def test_ranks_correlate_as_spearman_has_it():
    assert spearman([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1)
    assert spearman([1, 2, 3, 4], [9, 7, 5, 1]) == pytest.approx(-1)
    # One exchange of neighbours among four: 1 - 6 * (1 + 1) / (4 * (16 - 1)).
    assert spearman([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    # A tie shares its mean rank: ranks 1, 2.5, 2.5 against 1, 2, 3.
    assert spearman([5, 6, 6], [1, 2, 3]) == pytest.approx(0.75**0.5)
    assert spearman([1], [2]) is None
    assert spearman([1, 1], [1, 2]) is None


def test_the_command_says_that_there_is_no_gpu_and_ends_well(capsys):
    assert command.main(["--family", "copy", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [kernel["variant"] for kernel in printed["kernels"]] == ["vectorised", "baseline", "strided"]
    assert all(kernel["measured_us"] is None for kernel in printed["kernels"])
    assert all(pair["estimated"] and pair["measured"] is None for pair in printed["pairs"])
    assert printed["gpu"] is None
    assert printed["spearman"] == {}
    assert "GPU" in printed["absent"]
