"""The test stage: fresh inputs, poisoned outputs, every case, judged away from the candidate."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.budget import Work
from sandbox.device import Device
from sandbox.verdict import Verdict
from tools import progress
from tools.awaiting import until
from tools.judge.explanation import shorten
from tools.judge.questions import Oracle
from tools.judge.subjects import Rules, Subject, size_key
from tools.judge.trying import SEED_BITS, InputOutcome, InputTrial, Trying
from tools.reports import CaseReport, TestReport
from tools.tasks.task import CapturedCase, Case, Task, case_elements

_ELEMENTS_AT_ONCE = 1 << 18
"""Of all arguments of the inputs that are tried together: larger ones gain nothing by it and fill the memory."""


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
    """Try a candidate on every case with several seeds, those of a size together; stop at the first that fails.

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
    trying = Trying(task, device, oracle, rules)
    trials = [
        InputTrial(
            subject, first + repetition, again=repetition == 0 and task.deterministic and not subject.once
        )
        for repetition in range(rules.seeds)
        for subject in subjects
        if repetition == 0 or not subject.once
    ]
    ended = itertools.count(1)

    async def outcomes(some: Sequence[InputTrial]) -> list[tuple[InputTrial, InputOutcome]]:
        found = await trying.outcomes(some)
        for _ in found:
            progress.count(next(ended), len(trials))
        return found

    tried = await until(
        _by_size(task, trials), outcomes, lambda found: not found[-1][1].passed, width=rules.width
    )
    return _judgement([outcome for _, found in tried for outcome in found], len(trials))


def _by_size(task: Task, trials: Sequence[InputTrial]) -> list[list[InputTrial]]:
    """The trials of each size in turn, as many at a time as may be tried together."""
    sizes: dict[str, list[InputTrial]] = {}
    for trial in trials:
        sizes.setdefault(size_key(trial.subject.case.dims), []).append(trial)
    groups: list[list[InputTrial]] = []
    for some in sizes.values():
        most = max(1, _ELEMENTS_AT_ONCE // case_elements(task, some[0].subject.case))
        groups += [some[at : at + most] for at in range(0, len(some), most)]
    return groups


def _judgement(outcomes: Sequence[tuple[InputTrial, InputOutcome]], total: int) -> JudgedResults:
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
    message = f"All {total} inputs passed{_captured(outcomes)}{worst}.{note}"
    report = TestReport(Verdict.PASS, message, tuple(cases), total)
    return JudgedResults(report, constants, works=works)


def _captured(outcomes: Sequence[tuple[InputTrial, InputOutcome]]) -> str:
    """Name the captured files among what was tried; empty where there is none."""
    cases = (trial.subject.case for trial, _ in outcomes)
    files = dict.fromkeys(case.file for case in cases if isinstance(case, CapturedCase))
    return f", what was captured in {', '.join(files)} among them" if files else ""


def _through_the_first_failure(
    outcomes: Sequence[tuple[InputTrial, InputOutcome]],
) -> list[tuple[InputTrial, InputOutcome]]:
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
