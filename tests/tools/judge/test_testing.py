"""The test stage, on a device whose kernel is a Python function."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.device import Fault, RunResult
from sandbox.errors import WorkerDiedError
from sandbox.plan import BufferArgument, BufferSpec, Launch, Plan, Role
from sandbox.program import Program
from sandbox.verdict import Verdict
from tests.tools.function_device import FunctionDevice
from tools.judge.comparison import Expectation
from tools.judge.explanation import LIMIT
from tools.judge.questions import Posed, Question
from tools.judge.subjects import Rules, Subject
from tools.judge.testing import JudgedResults, judge_results
from tools.tasks.task import Case, Target, Task, TaskArgument

Array = np.ndarray[Any, Any]
Buffers = dict[str, Array]

PROGRAM = Program("key", "sm_90", "", b"", {"k": "k"}, ())
TASK = Task(
    name="double",
    summary="Twice a vector.",
    dims=("n",),
    arguments=(
        TaskArgument("x", "in", "float32", ("n",), "normal(0, 1)"),
        TaskArgument("y", "out", "float32", ("n",)),
    ),
    tests=(Case({"n": 33}), Case({"n": 64}, {"x": "ties(3)"})),
    benches=(),
    flops="n",
    bytes="8 * n",
    deterministic=True,
    target=Target(),
    folder=Path("double"),
    sha="0" * 64,
    reference="",
    baseline="",
)


class Doubling:
    """Knows that y is 2 x."""

    def __init__(self, objection: str | None = None, *, many_answers: bool = False) -> None:
        self._objection = objection
        self._many_answers = many_answers
        self.asked: list[int] = []
        self.ran = asyncio.Event()

    async def question(self, case: Case, seed: int) -> Question:
        self.asked.append(seed)
        x = np.random.default_rng(seed).normal(0, 1, case.dims["n"]).astype(np.float32)
        return Question(
            {"x": x},
            (Expectation("y", "float32", 2.0 * x.astype(np.float64)),),
            many_answers=self._many_answers,
        )

    async def pose(self, case: Case, seed: int) -> Posed:
        question = await self.question(case, seed)

        async def answer() -> Question:
            await asyncio.wait_for(self.ran.wait(), 5)
            return question

        return Posed(question.inputs, {}, answer)

    async def objection(self, case: Case, question: Question, outputs: Mapping[str, Array]) -> str | None:
        assert outputs["y"].shape == (case.dims["n"],)
        return self._objection


def subject(case: Case) -> Subject:
    size = case.dims["n"]
    buffers = (BufferSpec("x", Role.IN, "float32", size), BufferSpec("y", Role.OUT, "float32", size))
    launch = Launch("k", (1, 1, 1), (64, 1, 1), 0, (BufferArgument("x"), BufferArgument("y")), 1)
    return Subject(case, PROGRAM, lambda scalars: Plan(buffers, (launch,)))


async def judged(
    body: Callable[[Buffers], Fault | None],
    *,
    seed: int | None = None,
    task: Task = TASK,
    oracle: Doubling | None = None,
    width: int = 1,
) -> tuple[JudgedResults, FunctionDevice]:
    device = FunctionDevice(lambda program, plan, buffers: body(buffers))
    rules = Rules({"y": 8.0}, width=width)
    subjects = [subject(case) for case in task.tests]
    return await judge_results(task, device, oracle or Doubling(), subjects, rules, seed=seed), device


def doubles(buffers: Buffers) -> None:
    buffers["y"][:] = 2 * buffers["x"]


@pytest.mark.parametrize("width", [1, 2, 8])
async def test_a_right_kernel_passes_every_case_with_every_seed(width: int) -> None:
    judgement, _ = await judged(doubles, width=width)
    report = judgement.report
    assert report.verdict is Verdict.PASS
    assert report.cases_total == len(report.cases) == 4
    assert judgement.constants == {"y": 0.0}
    assert "All 4 inputs passed" in report.message


async def test_a_large_input_is_run_while_its_answer_is_asked_for() -> None:
    oracle = Doubling()

    def computes(buffers: Buffers) -> None:
        doubles(buffers)
        oracle.ran.set()  # the reference answers only after that

    task = replace(TASK, tests=(Case({"n": 1 << 18}),))
    judgement, _ = await judged(computes, task=task, oracle=oracle)
    assert judgement.report.verdict is Verdict.PASS
    assert len(oracle.asked) == 2


async def test_seeds_are_fresh_for_every_judgement_and_differ_between_repetitions() -> None:
    seeds = [case.seed for _ in range(2) for case in (await judged(doubles))[0].report.cases]
    assert len(set(seeds)) == 4


async def test_the_seed_of_a_failed_case_replays_it() -> None:
    first: list[float] = []

    def sometimes_wrong(buffers: Buffers) -> None:
        doubles(buffers)
        first.append(float(buffers["x"][0]))
        if len(first) == 6:
            buffers["y"][0] += 1

    judgement, _ = await judged(sometimes_wrong)
    failed = judgement.report.cases[-1]
    assert failed.verdict is Verdict.WRONG_RESULT
    replayed: list[float] = []

    async def replay(seed: int) -> None:
        await judged(lambda buffers: replayed.append(float(buffers["x"][0])), seed=seed)

    await replay(failed.seed)
    assert replayed[0] == first[-1]


async def test_the_first_failing_size_stops_the_judgement_and_is_explained() -> None:
    def forgets_the_tail(buffers: Buffers) -> None:
        whole = buffers["x"].size // 10 * 10
        buffers["y"][:whole] = 2 * buffers["x"][:whole]

    judgement, device = await judged(forgets_the_tail, seed=5)
    report = judgement.report
    assert report.verdict is Verdict.WRONG_RESULT
    assert len(report.cases) == 1
    assert len(device.poisons) == Rules({}).seeds
    case = report.cases[0]
    assert (case.wrong, case.unwritten, case.total) == (3, 3, 33)
    assert case.first[0].index == (30,)
    assert report.message.startswith(
        "Wrong result at n=33 with x ~ normal(0, 1), seed 5. y (33): 3 of 33 elements"
    )
    assert "3 of them never written" in report.message
    assert "Wrong only from index 30 on in dimension 0 (size 33): the tail is not handled." in report.message


async def test_one_wrong_element_is_no_tail() -> None:
    def forgets_the_last(buffers: Buffers) -> None:
        buffers["y"][:-1] = 2 * buffers["x"][:-1]

    judgement, _ = await judged(forgets_the_last)
    assert "Wrong only from" not in judgement.report.message


@pytest.mark.parametrize("width", [1, 3])
async def test_the_earliest_failing_case_is_reported_whatever_runs_beside_it(width: int) -> None:
    judgement, _ = await judged(lambda buffers: None, width=width)
    assert judgement.report.cases[-1].dims == {"n": 33}
    assert len(judgement.report.cases) == 1


async def test_a_case_with_its_own_data_names_that_data() -> None:
    def wrong_at_64(buffers: Buffers) -> None:
        doubles(buffers)
        if buffers["x"].size == 64:
            buffers["y"][3] = np.nan

    judgement, _ = await judged(wrong_at_64)
    assert "n=64 with x ~ ties(3)" in judgement.report.message
    assert "Every wrong element is NaN" in judgement.report.message
    assert judgement.report.cases[-1].worst_ratio is None


async def test_lost_precision_is_told_from_a_wrong_formula() -> None:
    def half_precision(buffers: Buffers) -> None:
        buffers["y"][:] = (2 * buffers["x"]).astype(np.float16)

    judgement, _ = await judged(half_precision)
    assert judgement.report.verdict is Verdict.WRONG_RESULT
    assert "precision was lost" in judgement.report.message


async def test_a_term_that_was_left_out_is_not_only_told_as_lost_precision() -> None:
    def drops(buffers: Buffers) -> None:
        buffers["y"][:] = 2 * buffers["x"]
        buffers["y"][-1] *= 1 - 1e-5

    spiked = replace(TASK, tests=(Case({"n": 64}, {"x": "spikes(0, 1)"}),))
    judgement, _ = await judged(drops, task=spiked)
    assert "an element or a term was left out or counted twice" in judgement.report.message


async def test_a_fault_is_the_verdict_and_its_line_is_named_once() -> None:
    fault = Fault(Verdict.MEMORY_FAULT, "k wrote 4 bytes past the end of y.", kernel="k", line=7)
    judgement, _ = await judged(lambda buffers: fault, seed=9)
    report = judgement.report
    assert report.verdict is Verdict.MEMORY_FAULT
    assert report.cases[0].fault == fault
    assert report.message == (
        "k wrote 4 bytes past the end of y (line 7); at n=33 with x ~ normal(0, 1), seed 9."
    )
    judgement, _ = await judged(lambda buffers: replace(fault, message="Past the end at line 7"))
    assert judgement.report.message.count("line 7") == 1


async def test_a_kernel_that_writes_to_its_input_fails_even_with_the_right_result() -> None:
    def modifies(buffers: Buffers) -> None:
        doubles(buffers)
        buffers["x"][4] = -buffers["x"][4]

    judgement, _ = await judged(modifies)
    assert judgement.report.verdict is Verdict.INPUT_MODIFIED
    assert (
        "wrote to its input x: 1 of 33 elements changed, the first at flat index 4"
        in judgement.report.message
    )


async def test_two_runs_on_the_same_input_must_agree_bit_for_bit() -> None:
    calls: list[int] = []

    def drifts(buffers: Buffers) -> None:
        doubles(buffers)
        calls.append(1)
        buffers["y"][2] = np.nextafter(buffers["y"][2], np.float32(len(calls) * 100))

    judgement, _ = await judged(lambda buffers: drifts(buffers))
    assert judgement.report.verdict is Verdict.PASS  # both round the same way

    def alternates(buffers: Buffers) -> None:
        doubles(buffers)
        calls.append(1)
        buffers["y"][2] = np.nextafter(
            buffers["y"][2], np.float32((-1) ** (len(calls) // Rules({}).seeds) * 100)
        )

    judgement, _ = await judged(alternates)
    assert judgement.report.verdict is Verdict.NONDETERMINISTIC
    assert "1 of 33 elements of y, the first at flat index 2" in judgement.report.message
    judgement, _ = await judged(alternates, task=replace(TASK, deterministic=False))
    assert judgement.report.verdict is Verdict.PASS


async def test_inputs_of_a_size_share_a_poison_and_the_repeated_run_has_another() -> None:
    _, device = await judged(doubles)
    for first, other, again in (device.poisons[:3], device.poisons[3:]):
        assert first == other
        assert first % 2 != again % 2
    assert len(set(device.poisons)) == 4


async def test_a_second_run_that_is_wrong_is_a_wrong_result() -> None:
    calls: list[int] = []

    def only_at_first(buffers: Buffers) -> None:
        calls.append(1)
        if len(calls) <= Rules({}).seeds:
            doubles(buffers)

    judgement, _ = await judged(only_at_first)
    assert judgement.report.verdict is Verdict.WRONG_RESULT
    assert judgement.report.message.startswith("The second run on the same input failed.")


async def test_where_many_answers_are_right_the_task_judges_each_run_itself() -> None:
    anything = await judged(lambda buffers: None, oracle=Doubling(many_answers=True))
    assert anything[0].report.verdict is Verdict.PASS
    refused = await judged(doubles, oracle=Doubling("the rows are not sorted", many_answers=True))
    assert refused[0].report.verdict is Verdict.WRONG_RESULT
    assert "the rows are not sorted" in refused[0].report.message


async def test_messages_stay_short() -> None:
    chatty = await judged(doubles, oracle=Doubling("blah " * 10_000, many_answers=True))
    assert len(chatty[0].report.message) <= LIMIT
    assert re.search(r"\[\.\.\.\]", chatty[0].report.message)


class Dying(FunctionDevice):
    """Loses its worker each time."""

    async def run(self, *arguments: Any, **options: Any) -> RunResult:
        raise WorkerDiedError("gone")


async def test_a_dead_worker_is_no_verdict_on_the_candidate() -> None:
    device = Dying(lambda program, plan, buffers: None)
    subjects = [subject(case) for case in TASK.tests]
    with pytest.raises(WorkerDiedError):
        await judge_results(TASK, device, Doubling(), subjects, Rules({"y": 8.0}, width=2))
