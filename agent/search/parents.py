"""Which kernels the next round may build on."""

from __future__ import annotations

from agent.candidates import Parent, Trial
from agent.search.deps import Deps
from agent.store.files import kernel_sha
from sandbox.verdict import Verdict

_PARENTS = 3
# The further a failed kernel came, the less there is to repair; what the device cannot judge comes last, but nothing
# is known against what this machine had no time or memory to judge.
_FURTHEST_FIRST = (
    Verdict.PASS,
    Verdict.UNDECIDED,
    Verdict.WRONG_RESULT,
    Verdict.NONDETERMINISTIC,
    Verdict.INPUT_MODIFIED,
    Verdict.RACE,
    Verdict.UNINITIALIZED,
    Verdict.BARRIER_DIVERGENCE,
    Verdict.MEMORY_FAULT,
    Verdict.TIMEOUT,
    Verdict.LAUNCH_ERROR,
    Verdict.RESOURCE_LIMIT,
    Verdict.COMPILE_ERROR,
    Verdict.REJECTED,
    Verdict.UNSUPPORTED,
)


def parents(deps: Deps, *, through: int) -> tuple[Parent, ...]:
    """Return the best few correct kernels of the rounds so far, else failed ones, else the baseline."""
    correct = deps.store.candidates.ranked(deps.run, through=through)
    if correct:
        return tuple(deps.parent(trial) for trial in correct[:_PARENTS])
    failed = _distinct(deps.store.candidates.trials(deps.run, through=through))
    failed.sort(key=lambda trial: (_FURTHEST_FIRST.index(trial.verdict), -trial.round))
    return tuple(deps.parent(trial) for trial in failed[:_PARENTS]) or (baseline_parent(deps),)


def baseline_parent(deps: Deps) -> Parent:
    """Return the task's own baseline as something to build on."""
    return Parent(kernel_sha(deps.task.baseline), deps.task.baseline)


def _distinct(trials: list[Trial]) -> list[Trial]:
    """Return the candidates that have a kernel, the latest of each source; never the baseline's own text."""
    by_sha = {trial.sha: trial for trial in trials if trial.sha is not None}
    return list(by_sha.values())
