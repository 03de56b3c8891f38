"""The benchmark of the loop's turnaround: what it measures with, and what it measures."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.simulator import plan_of
from benchmarks.throughput import workloads
from benchmarks.throughput.workloads import Workload
from benchmarks.turnaround import load_inline_seconds, processor_seconds
from sandbox.simulator.execute import running
from tests.compiling import program

BUSY = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"


def test_processor_time_is_that_of_processes_below_this_one_while_they_run_and_after() -> None:
    before = processor_seconds()
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as busy:
        assert busy.stdout is not None
        busy.stdout.readline()
        during = processor_seconds()
        busy.communicate(b"\n")
    assert during - before > 0.25
    assert processor_seconds() - before > 0.25


def test_what_pytorch_takes_is_not_made_up_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert load_inline_seconds() is None


@pytest.mark.parametrize(
    "workload",
    [
        workloads.elementwise(512),
        workloads.divergent(512),
        workloads.atomics(4096),
        workloads.serial(256, 33),
        workloads.tensor(8, 3),
    ],
    ids=lambda workload: workload.name,
)
def test_the_kernel_of_each_kind_is_right(workload: Workload) -> None:
    compiled = program(workload.source, (workload.name,), assembled=False)
    result = running.run(compiled, plan_of(workload), workload.inputs, 0)
    assert result.fault is None
    assert workload.holds(result.outputs["out"])
