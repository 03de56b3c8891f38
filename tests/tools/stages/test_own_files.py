"""Reports of kernels in several files name the file that is meant, and its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.verdict import Verdict
from tests.sandbox.simulator import in_process
from tools.reports import CompileReport, Suspicion
from tools.stages.own_files import by_own_files
from tools.tasks.task import Task
from tools.toolbox import TestOrder

MAIN = """\
//@ launch twice<<<ceil_div(n, 128), 128>>>(x, y, n)
#include "part.cuh"
extern "C" __global__ void twice(const float* x, float* y, int n) { body(x, y, n); }
//@ file part.cuh
#pragma once
__device__ void body(const float* x, float* y, int n) {
    int i = blockIdx.x * 128 + threadIdx.x;
"""
FAULT = MAIN + "    y[i] = 2 * x[i];\n}\n"
RACE = MAIN + (
    "    __shared__ float s[128];\n    s[threadIdx.x] = i < n ? x[i] : 0;\n"
    "    if (i < n) y[i] = 2 * s[127 - threadIdx.x];\n}\n"
)


@pytest.mark.parametrize(
    ("kernel", "verdict", "said", "lines"),
    [
        (FAULT, Verdict.MEMORY_FAULT, ["line 4 of part.cuh"], [(8, "part.cuh:4: y[i] = 2 * x[i];")]),
        (
            *(RACE, Verdict.RACE, ["written at line 5 of part.cuh", "read at line 6 of part.cuh"]),
            [
                (9, "part.cuh:5: s[threadIdx.x] = i < n ? x[i] : 0;"),
                (10, "part.cuh:6: if (i < n) y[i] = 2 * s[127 - threadIdx.x];"),
            ],
        ),
    ],
    ids=["a fault", "a race"],
)
async def test_a_failure_in_an_included_file_names_that_file_and_its_line(
    doubling: Task,
    tmp_path: Path,
    kernel: str,
    verdict: Verdict,
    said: list[str],
    lines: list[tuple[int, str]],
) -> None:
    async with in_process.toolbox(tmp_path) as toolbox:
        report = await toolbox.do(TestOrder(doubling, kernel))
    failure = report.failures[0]
    assert report.verdict is verdict
    for part in said:
        assert part in report.message
        assert part in failure.message
    assert [(line.number, line.text) for line in failure.lines] == lines
    assert failure.fault is not None
    assert failure.fault.line == lines[0][0]


def test_lines_of_the_kernel_file_itself_and_kernels_in_one_file_keep_their_words() -> None:
    said = Suspicion("an oddity", 3, "the reason"), Suspicion("an oddity", 8, "the reason")
    report = CompileReport(Verdict.PASS, "see line 3, line 8 and n=line", suspicions=said)
    told = by_own_files(report, FAULT)
    assert told.message == "see line 3, line 4 of part.cuh and n=line"
    assert [one.why for one in told.suspicions] == ["the reason", "part.cuh:4: the reason"]
    assert by_own_files(report, FAULT.replace("//@ file", "// file")) is report
