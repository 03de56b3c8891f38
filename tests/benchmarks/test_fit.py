"""`python -m benchmarks.gpu.fit`: what it makes of measurements that the model itself made up, and of bad files."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gpu import fit as command
from benchmarks.gpu import fit_report
from benchmarks.gpu.fitting import BOUNDS, Fit, Setting, fit, split
from benchmarks.gpu.kernels import Entry, entries
from benchmarks.gpu.observations import Measured, Measurements, Observation, observe, read, read_all
from benchmarks.gpu.results import Kernel, Results, write
from sandbox.errors import UsageError
from sandbox.simulator.cost.constants import USED, CostConstants
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from tests.compiling import InProcess
from tools.stages.compiling import CompileStage
from tools.tasks.task import Case

H200 = ARCHITECTURES["h200"]
BEFORE = Setting(USED, 2.0)
TRUE = BEFORE.with_values(
    {
        "dram_efficiency": 0.82,
        "atomic_clocks": 2.5,
        "shared_atomic_clocks": 7.0,
        "round_clocks": 900.0,
        "launch_us": 4.0,
    }
)
"""A GPU that differs from what is assumed in what such kernels show of it."""
CHEAP = {
    ("vector_add", "baseline"): (1, 4, 16, 64, 256, 1024),
    ("relu", "baseline"): (1, 4, 16, 64, 256, 1024),
    ("ranking/copy", "vectorised"): (1, 4, 16, 64, 256, 1024),
    ("ranking/reduction", "baseline"): (1, 4, 16, 64, 256, 1024),
    ("ranking/histogram", "privatised"): (1, 8, 64),
    ("matmul", "baseline"): (1, 2),
    ("ranking/reduction", "shared"): (64,),
}
"""Kernels that take the simulator little time, and by what their sizes are divided."""


def at_sizes() -> list[Entry]:
    """Kernels that take the simulator little time, each at several sizes."""
    found: list[Entry] = []
    for entry in entries(tuple({group for group, _ in CHEAP})):
        for size in CHEAP.get((entry.group, entry.variant), ()):
            dims = {name: -(-extent // size) for name, extent in entry.task.benches[0].dims.items()}
            task = replace(entry.task, benches=(Case(dims),))
            found.append(replace(entry, variant=f"{entry.variant} {size}", task=task))
    return found


def measurements(kernels: list[Entry]) -> Measurements:
    rows = tuple(Measured(one.group, one.variant, one.sha, one.task.sha, 1.0) for one in kernels)
    return Measurements("cuda:0", "NVIDIA H200, driver 580", "h200", "2026-01-01", "a test", rows)


@pytest.fixture(scope="module")
def counted() -> list[Observation]:
    kernels = at_sizes()
    found, left = asyncio.run(
        observe(measurements(kernels), kernels, CompileStage(InProcess(), H200.compute))
    )
    assert left == []
    return found


def measured_by(setting: Setting, counted: list[Observation], noise: float = 0.0) -> list[Observation]:
    rng = np.random.default_rng(5)
    times = setting.estimates(counted) * np.exp(noise * rng.normal(size=len(counted)))
    return [replace(one, measured_us=float(time)) for one, time in zip(counted, times, strict=True)]


@pytest.fixture(scope="module")
def recovered(counted) -> Fit:
    return fit(measured_by(TRUE, counted), BEFORE)


def test_constants_that_made_the_measurements_are_found_again(recovered):
    assert set(recovered.free) == set(BOUNDS) - {"half_atomic_clocks", "packed_half_atomic_clocks"}
    for name in ("dram_efficiency", "atomic_clocks", "shared_atomic_clocks", "round_clocks", "launch_us"):
        assert recovered.after.value(name) == pytest.approx(TRUE.value(name), rel=0.2), name


def test_kernels_that_were_held_out_are_estimated_better_too(recovered):
    assert len(recovered.held_out) >= 3
    before, after = recovered.qualities["held out"]
    assert before.median_error > 0.1
    assert after.median_error < 0.01
    assert after.spearman == pytest.approx(1)
    assert not {id(one) for one in recovered.fitting} & {id(one) for one in recovered.held_out}


@pytest.fixture(scope="module")
def noisy(counted) -> Fit:
    """Of times with 5 percent of noise, and without the only kernel that uses atomics in shared memory."""
    some = [one for one in measured_by(TRUE, counted, noise=0.05) if "privatised" not in one.variant]
    return fit(some, BEFORE)


def test_with_noise_the_fit_comes_as_near_as_the_noise_allows(noisy):
    before, after = noisy.qualities["held out"]
    assert after.median_error < 0.1 < before.median_error
    assert noisy.after.value("launch_us") == pytest.approx(4.0, rel=0.1)
    for name, (low, high) in BOUNDS.items():
        assert low <= noisy.after.value(name) <= high


def test_a_constant_that_no_kernel_depends_on_stays_and_the_report_says_so(noisy):
    assert "shared_atomic_clocks" not in noisy.free
    assert noisy.after.value("shared_atomic_clocks") == USED.shared_atomic_clocks
    text = fit_report.markdown(fit_report.Report(noisy, (measurements([]),), "a test"))
    assert "| `shared_atomic_clocks` | 4 | 4 | left alone: no kernel" in text


def test_the_report_says_what_to_put_where_and_mixes_no_columns(recovered, tmp_path):
    report = fit_report.Report(recovered, (measurements([]),), "a test", ("softmax/best: not in this tree",))
    fit_report.write(report, tmp_path)
    table = json.loads((tmp_path / "fit.json").read_text())
    constants = {one["name"]: one for one in table["constants"]}
    assert constants["atomic_clocks"]["after"] == pytest.approx(2.5, rel=0.1)
    assert constants["atomic_clocks"]["before"] == 1.0
    assert constants["launch_us"]["where"].startswith("sandbox/simulator/gpus/architectures.py")
    assert constants["smooth"]["where"].startswith("sandbox/simulator/cost/constants.py")
    text = (tmp_path / "fit.md").read_text()
    assert "sim:h200: NVIDIA H200, driver 580. Measured 2026-01-01" in text
    assert "| measured us | estimated us before | estimated us after |" in text
    assert "softmax/best: not in this tree" in text
    assert {one["set"] for one in table["kernels"]} == {"fitting", "held out"}


def test_a_constant_at_its_bound_is_pointed_out(recovered):
    bound = replace(recovered, after=recovered.after.with_values({"smooth": BOUNDS["smooth"][1]}))
    assert "at its bound" in fit_report.markdown(fit_report.Report(bound, (measurements([]),), "a test"))


def test_whether_a_kernel_is_held_out_depends_on_nothing_but_its_name(counted):
    fitting, held_out = split(counted)
    assert split(counted[::-1])[1] == held_out[::-1]
    assert len(fitting) + len(held_out) == len(counted)
    groups = {one.group for one in split(counted, "tasks")[1]}
    assert groups
    assert groups.isdisjoint(one.group for one in split(counted, "tasks")[0])


def test_the_kernels_of_this_tree_leave_every_task_in_the_fitting_set():
    kernels = [Observation(one.group, one.variant, 1.0, H200, ()) for one in entries()]
    fitting, held_out = split(kernels)
    assert {one.group for one in fitting} == {one.group for one in kernels}
    assert ("ranking/histogram", "privatised") in {(one.group, one.variant) for one in fitting}
    assert len(held_out) >= len(kernels) // 5


def test_too_few_kernels_are_too_few(counted):
    with pytest.raises(UsageError, match=r"too few kernels were measured: .* at least \d+ and 3 are needed"):
        fit(counted[:10], BEFORE)


def test_what_is_fitted_starts_between_its_bounds_and_says_that_it_rests_on_no_document():
    sources = {one.name: one.metadata["source"] for one in fields(CostConstants)}
    for name, (low, high) in BOUNDS.items():
        assert low < BEFORE.value(name) < high
    said = ("assumed", "fitted", "published")
    assert all(sources[name].startswith(said) for name in BOUNDS if name in sources)


def results(kernel: Kernel, gpu: str = "cuda:0") -> Results:
    return Results(gpu, "sim:h200", "a command", "a date", kernels=[kernel])


TIMED = Kernel("relu", "baseline", "sha", "task", "pass", measured_us=9.0, measured_provenance="measured")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "no results file of"),
        ("[]", "no results file of"),
        ('{"gpu": "cuda:0"}', "no results file of"),
        (
            '{"gpu": 1, "device": 1, "simulator": 1, "date": 1, "command": 1, "kernels": [1]}',
            "no results file",
        ),
    ],
)
def test_a_file_that_is_no_results_file_is_named_and_the_status_is_two(tmp_path, capsys, text, said):
    file = tmp_path / "some.json"
    file.write_text(text)
    assert command.main([str(file)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert str(file) in error
    assert error.count("\n") == 1


def test_a_file_that_is_not_there_is_named(tmp_path, capsys):
    assert command.main([str(tmp_path / "none.json")]) == 2
    assert f"{tmp_path / 'none.json'}: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    "found",
    [
        results(TIMED, gpu="sim:a100"),
        results(replace(TIMED, measured_provenance="estimated")),
        results(replace(TIMED, measured_us=None)),
        results(replace(TIMED, verdict="wrong_result")),
    ],
)
def test_estimates_are_never_fitted_to_estimates(tmp_path, capsys, found):
    write(found, tmp_path)
    assert command.main([str(tmp_path / "gpu.json")]) == 2
    assert "constants are never fitted to estimates" in capsys.readouterr().err


def test_a_kernel_that_has_changed_since_it_was_timed_is_left_out(tmp_path):
    write(results(TIMED), tmp_path)
    stage = CompileStage(InProcess(), H200.compute)
    found, left = asyncio.run(observe(read(tmp_path / "gpu.json"), entries(("relu",)), stage))
    assert (found, left) == ([], ["relu/baseline: not in this tree as it was timed"])


def test_files_of_one_gpu_are_one_and_those_of_two_are_fitted_together(tmp_path, capsys):
    write(results(TIMED), tmp_path / "first")
    write(replace(results(TIMED), simulator="sim:h100"), tmp_path / "second")
    files = [str(tmp_path / name / "gpu.json") for name in ("first", "second")]
    assert [one.model for one in read_all([Path(one) for one in files])] == ["h200", "h100"]
    assert len(read_all([Path(files[0])] * 2)) == 1
    assert command.main(files) == 2
    assert "too few kernels were measured: 0 " in capsys.readouterr().err


def test_nothing_named_is_nothing_to_fit(capsys):
    assert command.main([]) == 2
    assert "name a gpu.json, or --published" in capsys.readouterr().err


def test_without_scipy_the_command_says_how_to_get_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    write(results(TIMED), tmp_path)
    assert command.main([str(tmp_path / "gpu.json")]) == 2
    assert "pip install 'warpwright[bench]'" in capsys.readouterr().err
