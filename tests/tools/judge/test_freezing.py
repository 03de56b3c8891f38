"""Freezing a task."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import UsageError
from sandbox.isolation.choose import choose_isolation
from sandbox.plan import BufferArgument, BufferSpec, Launch, Plan, Role
from sandbox.program import Program
from sandbox.reference.service import References
from sandbox.verdict import Verdict
from tests.tools.function_device import FunctionDevice
from tools.judge.freezing import CAPS, FLOORS, Frozen, cap, constants_of, freeze, load_frozen, store_frozen
from tools.judge.oracle import TaskOracle
from tools.judge.subjects import Rules, Subject
from tools.judge.testing import judge_results
from tools.tasks.task import Case, Task, TaskArgument

Buffers = dict[str, np.ndarray[Any, Any]]
PROGRAM = Program("key", "sm_90", "", b"", {"k": "k"}, ())


@pytest.fixture
async def references() -> AsyncIterator[References]:
    async with References(choose_isolation()) as service:
        yield service


def subject(case: Case) -> Subject:
    size = case.dims["n"]
    buffers = (BufferSpec("x", Role.IN, "float32", size), BufferSpec("y", Role.OUT, "float32", size))
    launch = Launch("k", (1, 1, 1), (64, 1, 1), 0, (BufferArgument("x"), BufferArgument("y")), 1)
    return Subject(case, PROGRAM, lambda scalars: Plan(buffers, (launch,)))


async def frozen(task: Task, references: References, body: Callable[[Buffers], None]) -> Frozen:
    device = FunctionDevice(lambda program, plan, buffers: body(buffers))
    oracle = TaskOracle(task, references)
    return await freeze(task, device, oracle, [subject(case) for case in task.tests], Rules({}))


def doubles(buffers: Buffers) -> None:
    buffers["y"][:] = 2 * buffers["x"]


async def test_an_exact_baseline_leaves_the_least_constant(doubling: Task, references: References) -> None:
    assert await frozen(doubling, references, doubles) == Frozen({"y": FLOORS["float32"]})


async def test_an_imprecise_baseline_widens_the_bound(doubling: Task, references: References) -> None:
    def imprecise(buffers: Buffers) -> None:
        buffers["y"][:] = 2 * buffers["x"] * (1 + 6 * 2.0**-23)

    constant = (await frozen(doubling, references, imprecise)).constants["y"]
    assert FLOORS["float32"] < constant < 4 * 7


async def test_a_long_sum_that_adds_one_term_after_the_other_is_right_for_every_seed(
    doubling: Task, references: References
) -> None:
    summing = replace(
        doubling,
        arguments=(
            TaskArgument("x", "in", "float32", ("n",), "uniform(0, 1)"),
            TaskArgument("y", "out", "float32", ("1",)),
        ),
        tests=(Case({"n": 65537}),),
        reference="""
import numpy as np
def reference(x, n):
    return {'y': np.sum(x).reshape(1)}
def magnitude(x, n):
    return {'y': np.sum(np.abs(x)).reshape(1)}
""",
    )

    def serially(buffers: Buffers) -> None:
        buffers["y"][:] = np.cumsum(buffers["x"], dtype=np.float32)[-1]

    def subjects(case: Case) -> Subject:
        buffers = (BufferSpec("x", Role.IN, "float32", 65537), BufferSpec("y", Role.OUT, "float32", 1))
        launch = Launch("k", (1, 1, 1), (64, 1, 1), 0, (BufferArgument("x"), BufferArgument("y")), 1)
        return Subject(case, PROGRAM, lambda scalars: Plan(buffers, (launch,)))

    device = FunctionDevice(lambda program, plan, buffers: serially(buffers))
    oracle, subject_ = TaskOracle(summing, references), subjects(summing.tests[0])
    constants = (await freeze(summing, device, oracle, [subject_], Rules({}))).constants
    assert CAPS["float32"] < constants["y"] <= cap(summing, "float32") < 257
    found = await judge_results(summing, device, oracle, [subject_], Rules(constants, seeds=20), seed=1)
    assert found.report.verdict is Verdict.PASS


async def test_the_constants_are_the_same_each_time(doubling: Task, references: References) -> None:
    def imprecise(buffers: Buffers) -> None:
        buffers["y"][:] = 2 * buffers["x"] * (1 + 6 * 2.0**-23)

    assert await frozen(doubling, references, imprecise) == await frozen(doubling, references, imprecise)


async def test_a_task_whose_baseline_is_wrong_cannot_be_used(doubling: Task, references: References) -> None:
    def triples(buffers: Buffers) -> None:
        buffers["y"][:] = 3 * buffers["x"]

    with pytest.raises(
        UsageError, match=r"task double: its baseline is not correct \(wrong_result\): Wrong result"
    ):
        await frozen(doubling, references, triples)


async def test_a_task_that_zeros_pass_cannot_be_used(doubling: Task, references: References) -> None:
    trivial = replace(doubling, reference="def reference(x, n):\n    return {'y': 0 * x}\n")

    def zeros(buffers: Buffers) -> None:
        buffers["y"][:] = 0

    with pytest.raises(UsageError, match="a kernel that leaves zeros in y passes every test"):
        await frozen(trivial, references, zeros)


async def test_an_output_that_is_declared_trivial_may_be_zero_but_must_be_written(
    doubling: Task, references: References
) -> None:
    x, y = doubling.arguments
    declared = replace(y, trivial=True, reason="twice nothing")
    trivial = replace(
        doubling, arguments=(x, declared), reference="def reference(x, n):\n    return {'y': 0 * x}\n"
    )

    def zeros(buffers: Buffers) -> None:
        buffers["y"][:] = 0

    def nothing(buffers: Buffers) -> None:
        pass

    assert await frozen(trivial, references, zeros)
    with pytest.raises(UsageError, match="never written"):
        await frozen(trivial, references, nothing)


async def test_zeros_may_be_right_in_some_cases(doubling: Task, references: References) -> None:
    cases = (Case({"n": 5}, {"x": "constant(0)"}), Case({"n": 5}))
    assert await frozen(replace(doubling, tests=cases), references, doubles)


async def test_a_reference_with_compare_judges_zeros_itself(doubling: Task, references: References) -> None:
    picky = doubling.reference + (
        "import numpy\ndef compare(outputs, expected, inputs):\n"
        "    return None if numpy.allclose(outputs['y'], expected['y']) else 'other values'\n"
    )
    assert await frozen(replace(doubling, reference=picky), references, doubles)
    lax = doubling.reference + "def compare(outputs, expected, inputs):\n    return None\n"
    with pytest.raises(UsageError, match="zeros"):
        await frozen(replace(doubling, reference=lax), references, doubles)


@given(needed=st.floats(0, allow_nan=False))
def test_constants_stay_within_their_bounds(needed: float) -> None:
    for dtype, floor in FLOORS.items():
        task = task_with_output(dtype)
        assert floor <= constants_of(task, {"y": needed})["y"] <= CAPS[dtype]


def test_exact_outputs_have_no_constant() -> None:
    assert constants_of(task_with_output("int32"), {"y": 0.0}) == {}


def task_with_output(dtype: str) -> Task:
    argument = TaskArgument("y", "out", dtype, ("n",))
    return Task(
        "t", "", ("n",), (argument,), (), (), "", "", folder=Path("t"), sha="ab" * 32, reference="", baseline=""
    )  # fmt: skip


def test_what_was_stored_is_found_for_that_very_task_and_device(tmp_path: Path, doubling: Task) -> None:
    store_frozen(tmp_path, doubling, "sim:h200", Frozen({"y": 8.5}))
    assert load_frozen(tmp_path, doubling, "sim:h200") == Frozen({"y": 8.5})
    assert load_frozen(tmp_path, doubling, "sim:a100") is None
    assert load_frozen(tmp_path, replace(doubling, sha="1" * 64), "sim:h200") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 8, "families": [], "constants": {"z": 8.0}}',
        '{"version": 8, "families": [], "constants": {"y": "8"}}',
        '{"version": 1, "families": [], "constants": {"y": 8.0}}',
        '{"version": 8, "constants": {"y": 8.0}}',
        '{"version": 8, "families": ["unheard()"], "constants": {"y": 8.0}}',
    ],
)
def test_a_damaged_file_counts_as_missing(tmp_path: Path, doubling: Task, text: str) -> None:
    store_frozen(tmp_path, doubling, "sim:h200", Frozen({"y": 8.5}))
    next((tmp_path / "frozen").iterdir()).write_text(text)
    assert load_frozen(tmp_path, doubling, "sim:h200") is None
