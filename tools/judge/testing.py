"""The test stage: fresh inputs, poisoned outputs, every case, judged away from the candidate."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np

from sandbox.budget import Budget, Work, allowed
from sandbox.device import Device, Fault, RunResult
from sandbox.plan import Plan, Role
from sandbox.poison import poison_bytes
from sandbox.program import Program
from sandbox.verdict import Verdict
from tools import progress
from tools.awaiting import until
from tools.judge.bits import differing_outputs, modified_input
from tools.judge.comparison import Comparison, compare
from tools.judge.explanation import describe_case, explain, shorten, shows_omissions
from tools.judge.questions import Oracle, Question
from tools.reports import CaseReport, TestReport
from tools.tasks.task import Case, Task

SEED_BITS = 48
"""Width of fresh seeds: beyond guessing, and exact in JSON numbers of every reader."""


@dataclass(frozen=True)
class Subject:
    """A candidate, compiled for one case.

    Attributes:
        plan: Makes the plan from the values of the task's scalars.
        once: Whether one input of this case, run once, is enough.
    """

    case: Case
    program: Program
    plan: Callable[[Mapping[str, int | float]], Plan]
    once: bool = False


def size_key(dims: Mapping[str, int]) -> str:
    """What stands for the sizes of a case, whatever values its inputs have."""
    return ",".join(f"{name}={size}" for name, size in sorted(dims.items()))


@dataclass(frozen=True)
class Rules:
    """How to judge.

    Attributes:
        constants: The c of the error bound for each floating output.
        seeds: How many inputs a case is tried with.
        seconds: Of processor time for one run; of wall time on a GPU.
        width: How many runs may be under way at once.
        works: What the task's baseline did at a size, by `size_key`; where none is known, a run has no limit on work.
    """

    constants: Mapping[str, float]
    seeds: int = 2
    seconds: float = 60.0
    width: int = 1
    works: Mapping[str, Work] = field(default_factory=dict[str, Work])

    def budget(self, case: Case) -> Budget:
        """What one run at a case's size may cost; at a size of its own as much as at the most laborious one."""
        if not self.works:
            return Budget(self.seconds)
        most = reduce(Work.largest, self.works.values())
        baseline = self.works.get(size_key(case.dims), most)
        return Budget(self.seconds, allowed(baseline), baseline)


@dataclass(frozen=True)
class JudgedResults:
    """A test report, and what else became known.

    Attributes:
        constants: For every output the least constant of the error bound that accepts all of it.
        failed: The case that the report ends with, where it failed.
        works: The most work of a run at each size, by `size_key`; empty where the device counts none.
    """

    report: TestReport
    constants: Mapping[str, float] = field(default_factory=dict[str, float])
    failed: Case | None = None
    works: Mapping[str, Work] = field(default_factory=dict[str, Work])


def fresh_seed() -> int:
    """Return a seed from the operating system, which no candidate can know."""
    return secrets.randbits(SEED_BITS)


async def judge_results(
    task: Task,
    device: Device,
    oracle: Oracle,
    subjects: Sequence[Subject],
    rules: Rules,
    *,
    seed: int | None = None,
) -> JudgedResults:
    """Try a candidate on every case with several seeds; stop at the first failure in that order.

    Repetition r of a case uses the input of `seed + r`, so the seed in any case's report replays it. Where
    the task is deterministic, every case's first input is run again over another poison, and must give the
    same bits.

    Args:
        task: What must be computed.
        device: Where to run.
        oracle: Poses the inputs and knows the answers.
        subjects: The candidate for every case.
        rules: How to judge.
        seed: Replays one judgement; None takes a fresh seed.

    Raises:
        WorkerDiedError: A worker ended for no known cause, and so did the one after it.
    """
    first = fresh_seed() if seed is None else seed
    judge = _Judge(task, device, oracle, rules)
    trials = [
        _Trial(subject, first + repetition, again=repetition == 0 and task.deterministic and not subject.once)
        for repetition in range(rules.seeds)
        for subject in subjects
        if repetition == 0 or not subject.once
    ]
    ended = itertools.count(1)

    async def outcome(trial: _Trial) -> _Outcome:
        found = await judge.outcome(trial)
        progress.count(next(ended), len(trials))
        return found

    outcomes = await until(
        trials, outcome, lambda one: one.report.verdict is not Verdict.PASS, width=rules.width
    )
    return _judgement(outcomes, len(trials))


@dataclass(frozen=True)
class _Trial:
    subject: Subject
    seed: int
    again: bool


@dataclass(frozen=True)
class _Attempt:
    trial: _Trial
    question: Question
    plan: Plan
    run: int

    @property
    def poison(self) -> int:
        """A seed of its own for every run, the same in every replay; odd (blocks in reverse) in turn with even."""
        case = self.trial.subject.case
        key = f"{self.trial.seed}:{sorted(case.dims.items())}:{sorted(case.data.items())}:{self.run}"
        chosen = int.from_bytes(hashlib.sha256(key.encode()).digest()[: SEED_BITS // 8])
        return chosen & ~1 | (self.trial.seed + self.run) & 1


@dataclass(frozen=True)
class _Outcome:
    report: CaseReport
    beside: tuple[CaseReport, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    untraced: str = ""
    work: Work | None = None


def _judgement(outcomes: Sequence[tuple[_Trial, _Outcome]], total: int) -> JudgedResults:
    cases: list[CaseReport] = []
    constants: dict[str, float] = {}
    works: dict[str, Work] = {}
    guessed = next((outcome.untraced for _, outcome in outcomes if outcome.untraced), "")
    note = f" {_guessed(guessed)}" if guessed else ""
    for trial, outcome in _through_the_first_failure(outcomes):
        cases.append(outcome.report)
        for comparison in outcome.comparisons:
            constants[comparison.output] = max(constants.get(comparison.output, 0.0), comparison.constant)
        if outcome.work is not None:
            key = size_key(outcome.report.dims)
            works[key] = outcome.work.largest(works.get(key, outcome.work))
        if outcome.report.verdict is not Verdict.PASS:
            message = outcome.report.message
            if outcome.report.verdict is Verdict.WRONG_RESULT:
                message = shorten(f"{message}{note}")
            report = TestReport(outcome.report.verdict, message, (*cases, *outcome.beside), total)
            return JudgedResults(report, constants, trial.subject.case)
    ratios = [case.worst_ratio for case in cases if case.worst_ratio is not None]
    worst = f"; largest error {max(ratios):.2g} of its bound" if ratios else ""
    message = f"All {total} inputs passed{worst}.{note}"
    report = TestReport(Verdict.PASS, message, tuple(cases), total)
    return JudgedResults(report, constants, works=works)


def _through_the_first_failure(
    outcomes: Sequence[tuple[_Trial, _Outcome]],
) -> list[tuple[_Trial, _Outcome]]:
    """The outcomes up to the first failure; what was undecided counts only where nothing failed."""
    verdicts = [outcome.report.verdict for _, outcome in outcomes]
    failed = {*Verdict} - {Verdict.PASS, Verdict.UNDECIDED}
    first = next((at for at, verdict in enumerate(verdicts) if verdict in failed), None)
    if first is None:
        return list(outcomes)
    passed = [
        one for one, verdict in zip(outcomes[:first], verdicts, strict=False) if verdict is Verdict.PASS
    ]
    return [*passed, outcomes[first]]


def _guessed(reason: str) -> str:
    return (
        f"The scale of the error bound is estimated by perturbation, as reference.py cannot be traced ({reason}); "
        "`magnitude` can give it."
    )


@dataclass(frozen=True)
class _Judge:
    task: Task
    device: Device
    oracle: Oracle
    rules: Rules

    async def outcome(self, trial: _Trial) -> _Outcome:
        case = trial.subject.case
        question = await self.oracle.question(case, trial.seed)
        plan = trial.subject.plan(question.scalars)
        if plan.sampled and question.many_answers:
            message = "The task's `compare` judges whole outputs, not what a sample of blocks wrote."
            return _Outcome(_case_report(trial, Verdict.UNDECIDED, message))
        attempts = [_Attempt(trial, question, plan, run) for run in range(2)]
        first = await self._run(attempts[0])
        outcome = await self._judge_run(attempts[0], first)
        outcome = replace(outcome, work=first.work)
        if outcome.report.verdict is not Verdict.PASS or not trial.again or question.many_answers:
            return outcome
        second = await self._run(attempts[1])
        repeated = await self._judge_run(attempts[1], second)
        if repeated.report.verdict is not Verdict.PASS:
            message = f"The second run on the same input failed. {repeated.report.message}"
            return replace(repeated, report=replace(repeated.report, message=shorten(message)))
        different = await asyncio.to_thread(differing_outputs, first.outputs, second.outputs)
        if different is None:
            return outcome
        message = f"{different} at {describe_case(self.task, case, trial.seed)}."
        return _Outcome(_case_report(trial, Verdict.NONDETERMINISTIC, message))

    async def _run(self, attempt: _Attempt) -> RunResult:
        inputs = attempt.question.inputs
        flat = {name: np.ascontiguousarray(array).reshape(-1) for name, array in inputs.items()}
        program = attempt.trial.subject.program
        return await self.device.run(
            program,
            attempt.plan,
            flat,
            poison=attempt.poison,
            budget=self.rules.budget(attempt.trial.subject.case),
        )

    async def _judge_run(self, attempt: _Attempt, result: RunResult) -> _Outcome:
        trial, question = attempt.trial, attempt.question
        where = describe_case(self.task, trial.subject.case, trial.seed)
        if result.fault is not None:
            beside = await asyncio.to_thread(self._beside, attempt, result, where)
            return _Outcome(_fault_report(trial, result.fault, where), beside)
        modified = await asyncio.to_thread(modified_input, attempt.plan, question.inputs, result.inputs)
        if modified is not None:
            return _Outcome(_case_report(trial, Verdict.INPUT_MODIFIED, f"{modified} at {where}."))
        if question.many_answers:
            return await self._judge_by_task(attempt, result, where)
        comparisons = await asyncio.to_thread(self._compare, attempt, result)
        text = self._explained(attempt, comparisons, where, result.undefined)
        report = _comparison_report(trial, comparisons, text)
        return _Outcome(report, comparisons=comparisons, untraced=question.untraced)

    def _explained(
        self,
        attempt: _Attempt,
        comparisons: tuple[Comparison, ...],
        where: str,
        undefined: tuple[str, ...],
    ) -> str:
        omissions = shows_omissions(self.task, attempt.trial.subject.case)
        return _with_cause(explain(comparisons, where, omissions=omissions), undefined)

    def _beside(self, attempt: _Attempt, result: RunResult, where: str) -> tuple[CaseReport, ...]:
        """What else a run that has a fault shows: other faults, and wrong results where it went on to its end."""
        others = tuple(_fault_report(attempt.trial, fault, where) for fault in result.further)
        if not result.outputs or attempt.question.many_answers:
            return others
        compared = self._compare(attempt, result)
        report = _comparison_report(
            attempt.trial, compared, self._explained(attempt, compared, where, result.undefined)
        )
        if report.verdict is Verdict.PASS:
            return others
        message = f"{report.message} What is told before it may be the cause."
        return (*others, replace(report, message=shorten(message)))

    async def _judge_by_task(self, attempt: _Attempt, result: RunResult, where: str) -> _Outcome:
        trial, question = attempt.trial, attempt.question
        shapes = {answer.name: answer.values.shape for answer in question.expected}
        outputs = {name: result.outputs[name].reshape(shape) for name, shape in shapes.items()}
        reason = await self.oracle.objection(trial.subject.case, question, outputs)
        if reason is None:
            return _Outcome(_case_report(trial, Verdict.PASS, ""))
        message = shorten(f"Wrong result at {where}. {reason}")
        return _Outcome(_case_report(trial, Verdict.WRONG_RESULT, message))

    def _compare(self, attempt: _Attempt, result: RunResult) -> tuple[Comparison, ...]:
        roles = {buffer.name: buffer.role for buffer in attempt.plan.buffers}
        comparisons: list[Comparison] = []
        for answer in attempt.question.expected:
            got = result.outputs[answer.name]
            written = roles[answer.name] is Role.OUT
            poison = poison_bytes(attempt.poison, answer.name, got.nbytes) if written else None
            constant = self.rules.constants.get(answer.name, 0.0)
            told = result.told.get(answer.name)
            comparisons.append(compare(got, answer, constant=constant, poison=poison, told=told))
        return tuple(comparisons)


def _with_cause(message: str, undefined: tuple[str, ...]) -> str:
    """A wrong result beside what the device found undefined on the way."""
    return shorten(f"{message} Note: {undefined[0]}.") if undefined else message


def _case_report(trial: _Trial, verdict: Verdict, message: str) -> CaseReport:
    return CaseReport(trial.subject.case.dims, trial.seed, verdict, message)


def _fault_report(trial: _Trial, fault: Fault, where: str) -> CaseReport:
    lines = (
        f" (line {fault.line})"
        if fault.line is not None and f"line {fault.line}" not in fault.message
        else ""
    )
    message = shorten(f"{fault.message.rstrip('.')}{lines}; at {where}.")
    return replace(_case_report(trial, fault.verdict, message), fault=fault)


def _comparison_report(trial: _Trial, comparisons: tuple[Comparison, ...], explanation: str) -> CaseReport:
    """A pass, or a wrong result with its explanation."""
    wrong = sum(comparison.wrong for comparison in comparisons)
    # JSON has no infinity: what a NaN or an inexact integer is worth stays unset.
    worst = max((comparison.worst_ratio for comparison in comparisons), default=0.0)
    report = _case_report(trial, Verdict.PASS, "")
    if wrong:
        report = _case_report(trial, Verdict.WRONG_RESULT, explanation)
    return replace(
        report,
        wrong=wrong,
        unwritten=sum(comparison.unwritten for comparison in comparisons),
        total=sum(comparison.total for comparison in comparisons),
        worst_ratio=worst if math.isfinite(worst) else None,
        first=tuple(mismatch for comparison in comparisons for mismatch in comparison.first)[:5],
    )
