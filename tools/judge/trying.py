"""Tries a candidate on inputs of one size, all of them at once where the device can."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sandbox.apart import apart
from sandbox.budget import Work
from sandbox.device import Array, Device, Fault, RunResult
from sandbox.plan import Plan, Role
from sandbox.poison import poison_bytes
from sandbox.verdict import Verdict
from tools.awaiting import both, together
from tools.judge.bits import differing_outputs, modified_input
from tools.judge.closeness import worst_of
from tools.judge.comparison import Comparison, compare
from tools.judge.explanation import describe_case, explain, shorten, shows_omissions
from tools.judge.questions import Oracle, Question
from tools.judge.reach import shortfall
from tools.judge.subjects import Rules, Subject
from tools.reports import CaseReport
from tools.tasks.task import Task, case_elements

_LARGE_ELEMENTS = 1 << 18
"""Of all arguments of an input: the reference takes long enough then to be asked while the candidate runs."""

SEED_BITS = 48
"""Width of fresh seeds: beyond guessing, and exact in JSON numbers of every reader."""


@dataclass(frozen=True)
class InputTrial:
    """One input for one subject.

    Attributes:
        seed: Of the input.
        again: Whether it is run once more, over another poison, and must give the same bits.
    """

    subject: Subject
    seed: int
    again: bool


@dataclass(frozen=True)
class InputOutcome:
    """What became of a trial.

    Attributes:
        beside: What else the run showed that has the fault.
        untraced: Why the scale of some output's error bound is an estimate.
        work: Of the run; None where nobody counted.
    """

    report: CaseReport
    beside: tuple[CaseReport, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    untraced: str = ""
    work: Work | None = None

    @property
    def passed(self) -> bool:
        """Whether it says nothing against the candidate."""
        return self.report.verdict is Verdict.PASS


@dataclass(frozen=True)
class _Attempt:
    """A trial's question put to its subject, with the poison that outputs hold beforehand."""

    trial: InputTrial
    question: Question
    plan: Plan
    poison: int

    @property
    def judgeable(self) -> bool:
        """Whether what a run of the plan writes can be judged."""
        return not (self.plan.sampled and self.question.many_answers)

    @property
    def flat(self) -> dict[str, Array]:
        """The inputs as a device takes them."""
        inputs = self.question.inputs
        return {name: np.ascontiguousarray(array).reshape(-1) for name, array in inputs.items()}


def _poison(trial: InputTrial, run: int) -> int:
    """A seed of its own for every run, the same in every replay; odd (blocks in reverse) in turn with even."""
    case = trial.subject.case
    key = f"{trial.seed}:{sorted(case.dims.items())}:{sorted(case.data.items())}:{run}"
    chosen = int.from_bytes(hashlib.sha256(key.encode()).digest()[: SEED_BITS // 8])
    return chosen & ~1 | (trial.seed + run) & 1


@dataclass(frozen=True)
class Trying:
    """Tries candidates of one task on a device."""

    task: Task
    device: Device
    oracle: Oracle
    rules: Rules

    async def outcomes(self, trials: Sequence[InputTrial]) -> list[tuple[InputTrial, InputOutcome]]:
        """Try a candidate on inputs of one size, up to the first that fails.

        Runs over different inputs share a poison; where a trial is run again, so are all that are, over another one.

        Raises:
            UsageError: The reference has no answer.
            WorkerDiedError: A worker ended for no known cause, and so did the one after it.
        """
        attempts, results = await self._tried(trials)
        found: list[tuple[InputTrial, InputOutcome]] = []
        for attempt in attempts:
            if attempt.judgeable:
                result = results[id(attempt)]
                outcome = replace(await self._judge_run(attempt, result), work=result.work)
            else:
                message = "The task's `compare` judges whole outputs, not what a sample of blocks wrote."
                outcome = InputOutcome(_case_report(attempt.trial, Verdict.UNDECIDED, message))
            found.append((attempt.trial, outcome))
            if not outcome.passed:
                return found
        return await self._repeated(attempts, results, found)

    async def _tried(self, trials: Sequence[InputTrial]) -> tuple[list[_Attempt], dict[int, RunResult]]:
        """Ask, and run what can be judged, by `id` of the attempt; of one large input both at once."""
        if len(trials) == 1 and case_elements(self.task, trials[0].subject.case) > _LARGE_ELEMENTS:
            return await self._tried_meanwhile(trials[0])
        attempts = await together(self._attempt(trial, _poison(trials[0], 0)) for trial in trials)
        return attempts, await self._run([one for one in attempts if one.judgeable])

    async def _tried_meanwhile(self, trial: InputTrial) -> tuple[list[_Attempt], dict[int, RunResult]]:
        posed = await self.oracle.pose(trial.subject.case, trial.seed)
        plan, poison = trial.subject.plan(posed.scalars), _poison(trial, 0)
        asked = Question(posed.inputs, (), posed.scalars)
        if plan.sampled:  # whether it can be judged is known with the answer
            attempt = _Attempt(trial, await posed.answer(), plan, poison)
            return [attempt], await self._run([attempt] if attempt.judgeable else [])
        unanswered = _Attempt(trial, asked, plan, poison)
        results, question = await both(self._run([unanswered]), posed.answer())
        attempt = replace(unanswered, question=question)
        return [attempt], {id(attempt): results[id(unanswered)]}

    async def _attempt(self, trial: InputTrial, poison: int) -> _Attempt:
        question = await self.oracle.question(trial.subject.case, trial.seed)
        return _Attempt(trial, question, trial.subject.plan(question.scalars), poison)

    async def _run(self, attempts: Sequence[_Attempt]) -> dict[int, RunResult]:
        """Run all attempts, those with one plan together; by `id`, none after the first of a plan that fails."""
        together: dict[tuple[str, Plan], list[_Attempt]] = {}
        for attempt in attempts:
            together.setdefault((attempt.trial.subject.program.key, attempt.plan), []).append(attempt)
        found: dict[int, RunResult] = {}
        for some in together.values():
            subject = some[0].trial.subject
            results = await self.device.run_all(
                subject.program,
                some[0].plan,
                [attempt.flat for attempt in some],
                poison=some[0].poison,
                budget=self.rules.budget(subject.case),
            )
            found |= {id(attempt): result for attempt, result in zip(some, results, strict=False)}
        return found

    async def _repeated(
        self,
        attempts: Sequence[_Attempt],
        results: Mapping[int, RunResult],
        found: list[tuple[InputTrial, InputOutcome]],
    ) -> list[tuple[InputTrial, InputOutcome]]:
        """Run once more what has to be, and return the outcomes up to the first that fails now."""
        poison = _poison(attempts[0].trial, 1)
        again = {
            at: replace(attempt, poison=poison)
            for at, attempt in enumerate(attempts)
            if attempt.trial.again and not attempt.question.many_answers
        }
        second = await self._run(list(again.values()))
        for at, attempt in again.items():
            repeated = await self._judge_run(attempt, second[id(attempt)])
            failure = await self._differs(attempt, repeated, results[id(attempts[at])], second[id(attempt)])
            if failure is not None:
                return [*found[:at], (attempt.trial, failure)]
        return found

    async def _differs(
        self, attempt: _Attempt, repeated: InputOutcome, first: RunResult, second: RunResult
    ) -> InputOutcome | None:
        """What a second run on the same input has against the candidate."""
        if not repeated.passed:
            message = f"The second run on the same input failed. {repeated.report.message}"
            return replace(repeated, report=replace(repeated.report, message=shorten(message)))
        different = await apart(attempt.plan.buffer_bytes, differing_outputs, first.outputs, second.outputs)
        if different is None:
            return None
        trial = attempt.trial
        message = f"{different} at {describe_case(self.task, trial.subject.case, trial.seed)}."
        return InputOutcome(_case_report(trial, Verdict.NONDETERMINISTIC, message))

    async def _judge_run(self, attempt: _Attempt, result: RunResult) -> InputOutcome:
        trial, question = attempt.trial, attempt.question
        where = describe_case(self.task, trial.subject.case, trial.seed)
        if result.fault is not None:
            beside = await apart(attempt.plan.buffer_bytes, self._beside, attempt, result, where)
            return InputOutcome(_fault_report(trial, result.fault, where), beside)
        modified = await apart(
            attempt.plan.buffer_bytes, modified_input, attempt.plan, question.inputs, result.inputs
        )
        if modified is not None:
            return InputOutcome(_case_report(trial, Verdict.INPUT_MODIFIED, f"{modified} at {where}."))
        if question.many_answers:
            return await self._judge_by_task(attempt, result, where)
        comparisons = await apart(attempt.plan.buffer_bytes, self._compare, attempt, result)
        text = self._explained(attempt, comparisons, where, result.undefined)
        report = _comparison_report(trial, comparisons, text)
        if report.verdict is Verdict.PASS and (short := shortfall(attempt.plan, result)):
            report = replace(report, verdict=Verdict.UNDECIDED, message=shorten(f"At {where}, {short}."))
        return InputOutcome(report, comparisons=comparisons, untraced=question.untraced)

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

    async def _judge_by_task(self, attempt: _Attempt, result: RunResult, where: str) -> InputOutcome:
        trial, question = attempt.trial, attempt.question
        shapes = {answer.name: answer.values.shape for answer in question.expected}
        outputs = {name: result.outputs[name].reshape(shape) for name, shape in shapes.items()}
        reason = await self.oracle.objection(trial.subject.case, question, outputs)
        if reason is None:
            return InputOutcome(_case_report(trial, Verdict.PASS, ""))
        message = shorten(f"Wrong result at {where}. {reason}")
        return InputOutcome(_case_report(trial, Verdict.WRONG_RESULT, message))

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


def _case_report(trial: InputTrial, verdict: Verdict, message: str) -> CaseReport:
    return CaseReport(trial.subject.case.dims, trial.seed, verdict, message)


def _fault_report(trial: InputTrial, fault: Fault, where: str) -> CaseReport:
    lines = (
        f" (line {fault.line})"
        if fault.line is not None and f"line {fault.line}" not in fault.message
        else ""
    )
    message = shorten(f"{fault.message.rstrip('.')}{lines}; at {where}.")
    return replace(_case_report(trial, fault.verdict, message), fault=fault)


def _comparison_report(
    trial: InputTrial, comparisons: tuple[Comparison, ...], explanation: str
) -> CaseReport:
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
        closeness=worst_of(comparison.closeness for comparison in comparisons),
    )
