"""Solutions for flashinfer-bench and SOL-ExecBench: imported as their harnesses do, run before a driver without a GPU."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.export.packages import KernelPackage
from agent.export.published_form import published_files
from sandbox.errors import UsageError
from sandbox.verdict import Provenance, Verdict
from tests.agent.export.exporting import example, package
from tests.agent.export.published_problem import KERNEL, published_task, write_problem
from tests.sandbox.cuda import standing_in
from tools.reports import CaseReport, CheckReport, Closeness, ProfileReport, ShapeTiming, TestReport

RUN = """
import ctypes, importlib, sys, types
torch = types.ModuleType('torch')
torch.float32 = 'float32'
torch.cuda = types.SimpleNamespace(current_stream=lambda device: types.SimpleNamespace(cuda_stream=0))
sys.modules['torch'] = torch
sys.path.insert(0, {folder!r})
library = ctypes.CDLL('libcuda.so.1')
context = ctypes.c_void_p()
library.cuInit(0)
library.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
library.cuCtxSetCurrent(context)

class Tensor:
    dtype, device = 'float32', types.SimpleNamespace(type='cuda', index=0)
    def __init__(self, shape, value, address=None):
        self.shape, self.count = shape, shape[0] * shape[1]
        held = ctypes.c_uint64()
        library.cuMemAlloc_v2(ctypes.byref(held), ctypes.c_size_t(4 * self.count))
        self.address = held
        library.cuMemcpyHtoD_v2(held, (ctypes.c_float * self.count)(*[value] * self.count), ctypes.c_size_t(4 * self.count))
    def contiguous(self): return self
    def data_ptr(self): return self.address.value
    def values(self):
        host = (ctypes.c_float * self.count)()
        library.cuMemcpyDtoH_v2(host, self.address, ctypes.c_size_t(4 * self.count))
        return set(host)

run = getattr(importlib.import_module({module!r}), 'run')
x, w, y = Tensor((250, 4), 1.5), Tensor((250, 4), 2.0), Tensor((250, 4), 0.0)
run(x, w, y)
print(y.values())
for wrong in (Tensor((250, 3), 0.0), Tensor((251, 4), 0.0)):
    try:
        run(x, w, wrong)
    except ValueError as error:
        print(str(error))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> KernelPackage:
    return package(published_task(tmp_path_factory.mktemp("task")), KERNEL)


def judged(made: KernelPackage, near: Closeness | None) -> KernelPackage:
    """The package with a judgement at one of its two workloads."""
    dims = {"n": 250, "d": 4}
    case = CaseReport(dims, 1, Verdict.PASS, "", closeness=near)
    shapes = (ShapeTiming(dims, 12.5, Provenance.ESTIMATED),)
    report = CheckReport(
        Verdict.PASS, "add_d4", "sim:h200", Provenance.ESTIMATED, "",
        profile=ProfileReport(Verdict.PASS, "", 12.5, shapes=shapes),
        bench=TestReport(Verdict.PASS, "", (case,)),
    )  # fmt: skip
    return replace(made, kernels=(replace(made.kernels[0], judgements=(report,)),))


def traces(files: dict[str, bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files["traces.jsonl"].decode().splitlines()]


@pytest.mark.parametrize("bench", ["flashinfer-bench", "sol-execbench"])
def test_a_solution_runs_as_the_harness_calls_it(
    bench: Any, made: KernelPackage, tmp_path: Path, driver: Path
) -> None:
    solution = json.loads(published_files(made, bench)["solution.json"])
    for source in solution["sources"]:
        assert source["content"]
        path = tmp_path / source["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source["content"])
    file, _, function = solution["spec"]["entry_point"].partition("::")
    assert (function, solution["definition"]) == ("run", "add_d4")
    assert solution["spec"]["destination_passing_style"]
    module = file.removesuffix(".py").replace("/", ".")
    ran = standing_in.python(driver, RUN.format(folder=str(tmp_path), module=module))
    assert ran.returncode == 0, ran.stderr
    first, *refused = ran.stdout.splitlines()
    assert first == "{3.5}"
    assert all("expected y of shape (250, 4)" in line for line in refused)
    assert len(refused) == 2


def test_their_schemas_differ_in_how_languages_and_gpus_are_named(made: KernelPackage) -> None:
    flashinfer = json.loads(published_files(made, "flashinfer-bench")["solution.json"])["spec"]
    sol = json.loads(published_files(made, "sol-execbench")["solution.json"])["spec"]
    assert (flashinfer["language"], sol["languages"]) == ("python", ["pytorch"])
    assert "NVIDIA_H200" in flashinfer["target_hardware"]
    assert sol["target_hardware"] == ["LOCAL"]


def test_a_trace_has_both_verdicts_and_calls_an_estimate_one(made: KernelPackage) -> None:
    near = Closeness(1e-6, 2e-6, 1e-6, 1e-6)
    unjudged, done = traces(published_files(judged(made, near), "flashinfer-bench"))
    assert unjudged["evaluation"] is None
    assert unjudged["workload"]["uuid"] == "w7"
    found = done["evaluation"]
    assert (found["status"], found["performance"]["latency_ms"]) == ("PASSED", 0.0125)
    assert found["correctness"]["extra"]["warpwright_verdict"] == "pass"
    assert found["correctness"]["extra"]["lax_verdict"] == "pass"
    assert "(simulated)" in found["environment"]["hardware"]
    assert "estimate" in found["log"]


@pytest.mark.parametrize("near", [None, Closeness(1.0, 1.0, 0.5, 0.02), Closeness(None, None, None, None)])
def test_what_is_not_near_enough_by_their_rule_is_no_passed_trace(
    near: Closeness | None, made: KernelPackage
) -> None:
    assert traces(published_files(judged(made, near), "sol-execbench"))[1]["evaluation"] is None


def test_a_task_of_another_origin_solves_no_problem(tmp_path: Path, made: KernelPackage) -> None:
    task = example("vector_add")
    with pytest.raises(UsageError, match=r"was not imported from definition\.json"):
        published_files(package(task, task.baseline), "flashinfer-bench")
    write_problem(tmp_path)
    (tmp_path / "published.json").write_text("{}")
    with pytest.raises(UsageError, match="import the problem again"):
        published_files(replace(made, task=replace(made.task, folder=tmp_path)), "flashinfer-bench")
