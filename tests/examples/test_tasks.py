from __future__ import annotations

import importlib.util
import sys
import time
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from sandbox.dtypes import numpy_dtype
from sandbox.reference import special
from sandbox.simulator.execute import running
from tests.compiling import compiled
from tools.kernel import file as kernel_file
from tools.kernel import planning
from tools.tasks import folder as task_folder
from tools.tasks.generators import inputs_for
from tools.tasks.suites import find_suite
from tools.tasks.task import Case, Task, argument_size

TASKS = {name: task_folder.find(name) for name in task_folder.names()}
CASES = [
    pytest.param(task, case, id=f"{name}-{'x'.join(map(str, case.dims.values()))}")
    for name, task in TASKS.items()
    for case in task.tests
]


@pytest.fixture(autouse=True)
def special_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """References may import it."""
    monkeypatch.setitem(sys.modules, "special", special)


@cache
def _module(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"reference_{folder.name}", folder / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _reference(task: Task) -> ModuleType:
    return _module(task.folder)


def _expected(task: Task, case: Case, function: str = "reference") -> dict[str, np.ndarray]:
    inputs = {
        name: value.astype(np.float64) if "float" in value.dtype.name else value
        for name, value in inputs_for(task, case, 11).items()
    }
    return getattr(_reference(task), function)(**inputs, **case.dims)


def test_the_papers_twenty_tasks_are_here_with_three_others() -> None:
    of_the_paper = {one.task for one in find_suite("fsr20").tasks}
    assert len(of_the_paper) == 20
    assert TASKS.keys() - of_the_paper == {"linear_gelu", "softmax", "vector_add"}
    assert of_the_paper <= TASKS.keys()


@pytest.mark.parametrize(("task", "case"), CASES)
def test_the_reference_answers_every_test_case_in_the_outputs_shapes(task: Task, case: Case) -> None:
    expected = _expected(task, case)
    outputs = [argument for argument in task.arguments if argument.is_output]
    assert set(expected) == {argument.name for argument in outputs}
    for argument in outputs:
        answer = expected[argument.name]
        assert answer.shape == argument_size(argument, case.dims)
        assert np.isfinite(answer.astype(numpy_dtype(argument.dtype))).all()


@pytest.mark.parametrize(("task", "case"), CASES)
def test_a_magnitude_covers_the_answer_it_belongs_to(task: Task, case: Case) -> None:
    if not hasattr(_reference(task), "magnitude"):
        return
    expected = _expected(task, case)
    for name, scale in _expected(task, case, "magnitude").items():
        assert scale.shape == expected[name].shape
        assert (scale >= np.abs(expected[name]) * (1 - 1e-12)).all()


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_baseline_has_a_plan_for_every_case_and_one_compilation(task: Task) -> None:
    file = kernel_file.parse(task.baseline)
    requests = {
        planning.compile_request(file, task, case.dims, None, "sm_90") for case in task.tests + task.benches
    }
    assert len(requests) == 1
    for case in task.tests + task.benches:
        for launch in planning.plan(file, task, case.dims).launches:
            assert launch.block[0] * launch.block[1] * launch.block[2] <= 1024


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_test_sizes_are_awkward(task: Task) -> None:
    sizes = [size for case in task.tests for size in case.dims.values()]
    assert 1 in sizes
    assert any(size % 2 == 1 and size > 32 for size in sizes)
    assert len(task.tests) >= 5


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_no_bundled_task_lets_a_search_stop_early(task: Task) -> None:
    assert (task.target.latency_us, task.target.speedup, task.target.roofline) == (None, None, None)


@pytest.mark.parametrize(("task", "case"), CASES)
def test_a_test_case_runs_rightly_within_seconds_of_processor_time_with_every_check_on(
    task: Task, case: Case
) -> None:
    file = kernel_file.parse(task.baseline)
    request = planning.compile_request(file, task, case.dims, None, "sm_90")
    program = compiled(request, assembled=False).program
    assert program is not None
    inputs = {name: np.ascontiguousarray(v).reshape(-1) for name, v in inputs_for(task, case, 11).items()}
    started = time.process_time()
    result = running.run(program, planning.plan(file, task, case.dims), inputs, 5)
    assert result.fault is None
    assert time.process_time() - started < 4  # a second on a machine of today
    for name, answer in _expected(task, case).items():  # the judge looks closer, not at every size
        near = 1e-3 * max(1.0, float(np.abs(answer).max()))
        np.testing.assert_allclose(result.outputs[name], answer.reshape(-1), rtol=1e-3, atol=near)
