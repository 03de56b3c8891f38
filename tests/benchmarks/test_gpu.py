"""`python -m benchmarks.gpu`: all of it with a stand-in for the GPU, and its parts."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import instruction_tests, programs
from benchmarks.gpu.kernels import entries
from benchmarks.gpu.nvcc import Nvcc
from benchmarks.gpu.results import Count, Kernel, Results, correlations, markdown
from sandbox.errors import UsageError
from sandbox.program import CompileRequest
from tests.benchmarks.fake_gpu_run import FEWER, kernels
from tests.compiling import InProcess

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def carried(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("programs") / "programs"
    count, failed = asyncio.run(programs.write(InProcess(), "sm_90", file, kernels()))
    assert failed == []
    assert count == 3 + len(instruction_tests.EXACT), "these kernels are the same for every size"
    return file


@pytest.fixture(scope="module")
def found(carried, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out")
    words = [
        sys.executable,
        "-W",
        "error",
        str(ROOT / "tests/benchmarks/fake_gpu_run.py"),
        str(out),
        str(carried),
    ]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    return out


def test_the_whole_command_runs_with_numpy_alone_and_says_what_it_found(found):
    table = json.loads((found / "gpu.json").read_text())
    assert (table["gpu"], table["simulator"], table["skipped"]) == ("cuda:0", "sim:h200", [])
    by_name = {kernel["variant"]: kernel for kernel in table["kernels"]}
    assert by_name["baseline"]["verdict"] == by_name["slow"]["verdict"] == "pass"
    assert by_name["wrong"]["verdict"] == "wrong_result"
    assert by_name["wrong"]["measured_us"] is None
    assert by_name["baseline"]["measured_us"] == pytest.approx(1.5 * by_name["baseline"]["estimated_us"])
    assert by_name["slow"]["speedup"] < 1
    assert table["spearman"] == pytest.approx({"vector_add": 1.0, "all": 1.0})
    assert table["ceilings"]["copy_gbps"] > 1000
    assert any(fact["name"] == "python" for fact in table["facts"])


def test_counts_stand_beside_each_other_with_their_difference(found):
    table = json.loads((found / "gpu.json").read_text())
    counts = {count["metric"]: count for count in table["kernels"][0]["counts"]}
    assert counts[FEWER]["difference"] == pytest.approx(-0.2)
    assert counts[FEWER]["measured"] == pytest.approx(1.25 * counts[FEWER]["simulated"])
    assert counts["launch__registers_per_thread"]["difference"] == 0
    assert counts["launch__registers_per_thread"]["simulated_provenance"] == "counted"


def test_results_and_instructions_agree_between_a_device_and_itself(found):
    table = json.loads((found / "gpu.json").read_text())
    (same,) = table["same_results"]
    assert (same["equal"], same["total"], same["problem"]) == (999, 999, "")
    assert len(table["instructions"]) > 100
    assert all(one["equal"] == one["total"] == instruction_tests.COUNT for one in table["instructions"])


def test_the_tables_for_people_hold_what_the_json_does(found):
    text = (found / "gpu.md").read_text()
    for expected in (
        "| vector_add | baseline | pass |",
        "wrong_result:",
        "| all | 1.000 |",
        "exact ones agree",
    ):
        assert expected in text
    assert f"| {FEWER} | 2 | 20.0% | 20.0% | 0 of 2 |" in text
    assert "**launch__registers_per_thread**" in text


def test_each_kernel_of_the_repository_is_there_and_best_ones_where_they_are_kept(tmp_path):
    names = {(entry.group, entry.variant) for entry in entries()}
    assert ("softmax", "baseline") in names
    assert ("ranking/reduction", "shuffle") in names
    (tmp_path / "relu").mkdir()
    (tmp_path / "relu/found.cu").write_text("text")
    kept = [entry for entry in entries(("relu",), kernels=tmp_path) if entry.variant != "baseline"]
    assert [(entry.variant, entry.text) for entry in kept] == [("found", "text")]


def test_what_was_not_carried_is_a_compilation_that_failed(carried):
    compiler_of_file = programs.CarriedCompiler(carried)
    request = CompileRequest("other", "sm_90")
    result = asyncio.run(compiler_of_file.compile(request, cpu_s=1))
    assert result.program is None
    assert "not among the carried programs" in result.diagnostics[0].message


def test_a_difference_of_one_bit_is_found_and_nan_equals_nan():
    first = np.array([1.0, np.nan, np.inf, 2.0], np.float32)
    second = first.copy()
    second[0] = np.nextafter(first[0], 2, dtype=np.float32)
    second[1] = np.array([0x7FC12345], np.uint32).view(np.float32)[0]
    one = instruction_tests._agreement("float32", "x", True, first, second)
    assert (one.equal, one.total, one.worst_ulp) == (3, 4, 1.0)
    assert "1 ulp" not in markdown(Results("a", "b", "c", "d"))


def test_correlation_is_over_kernels_that_have_both_times():
    some = [Kernel("a", "x", measured_us=1, estimated_us=2), Kernel("a", "y", measured_us=2, estimated_us=1)]
    more = [Kernel("b", "z", measured_us=9, estimated_us=9), Kernel("a", "w", measured_us=3)]
    assert correlations([*some, *more]) == {"a": pytest.approx(-1), "all": pytest.approx(0.5)}
    assert Count("l", "m", "u", 0, 0, "counted", None).difference is None


def test_without_a_gpu_the_command_says_so(tmp_path, capsys, carried):
    assert command.main(["--out", str(tmp_path), "--programs", str(carried)]) == 2
    assert "GPU" in capsys.readouterr().err
    assert command.model_of("sm_90", None) == "h200"
    with pytest.raises(UsageError, match="no simulated GPU"):
        command.model_of("sm_70", None)


def test_nvcc_makes_programs_too_where_it_is_installed():
    try:
        nvcc = Nvcc()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    source = "__global__ void k(int* x) { x[threadIdx.x] = (int)INT64_MAX + BLOCK; }"
    request = CompileRequest(source, "sm_90", (("BLOCK", "3"),), ("k",))
    result = asyncio.run(nvcc.compile(request, cpu_s=60))
    assert result.program is not None, result.log
    assert result.program.symbols == {"k": "_Z1kPi"}
    assert result.program.resources[0].registers > 0
    ours = asyncio.run(InProcess().compile(request, cpu_s=60)).program
    assert ours is not None
    assert (ours.symbols, ours.cubin[:4]) == (result.program.symbols, result.program.cubin[:4])
    missing = replace(request, kernels=("other",))
    assert asyncio.run(nvcc.compile(missing, cpu_s=60)).program is None
