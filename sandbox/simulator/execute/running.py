"""Runs a plan, every access checked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from sandbox.budget import Budget
from sandbox.device import Array, Fault, RunResult
from sandbox.plan import Plan
from sandbox.program import Program
from sandbox.simulator.execute.attempt import Attempt, AttemptOutcome, written
from sandbox.simulator.machine.lanes import LANES_PER_BATCH
from sandbox.verdict import Verdict

_BYTES_AT_ONCE = 32 << 20
"""Of all buffers of the inputs that run side by side: their shadows are several times as large."""
_UNSETTLED = frozenset({Verdict.RACE, Verdict.UNINITIALIZED, Verdict.TIMEOUT, Verdict.UNDECIDED})
"""What a run over several inputs may end with though each of them is right: it is looked into one by one."""


def run(
    program: Program,
    plan: Plan,
    inputs: Mapping[str, Array],
    poison: int,
    *,
    architecture: str = "h200",
    budget: Budget | None = None,
    hazards: bool = True,
) -> RunResult:
    """Execute a plan once, every access checked.

    Args:
        program: Compiled; its PTX is what runs.
        plan: What to launch, in order.
        inputs: Flat arrays for in and inout buffers.
        poison: Seed of the bytes that outputs, scratch and shared memory hold beforehand, and of the run's
            `Surroundings`; where it is odd, of a `Schedule` too, so that two runs show what depends on the order.
        architecture: A name in `ARCHITECTURES`, for its limits.
        budget: What the run may cost; beyond the work it ends as a TIMEOUT fault that names where it was, beyond
            the processor time as an UNDECIDED one.
        hazards: Whether to look for races and reads of what nothing wrote; bounds are always checked.
    """
    started = time.monotonic()
    attempt = Attempt(program, plan, (inputs,), poison, architecture, budget)
    result = _settled(attempt) if hazards else attempt.run(None).result
    return replace(result, seconds=time.monotonic() - started)


def run_all(
    program: Program,
    plan: Plan,
    inputs: Sequence[Mapping[str, Array]],
    poison: int,
    *,
    architecture: str = "h200",
    budget: Budget | None = None,
) -> list[RunResult]:
    """Execute a plan once over each of several inputs; those after the first that fails are left out.

    Small plans run side by side, over memory that each input has for itself, and lanes of all of them in lock step.
    Whatever is found against one of them is looked into one by one.

    Args:
        program: See `run`.
        plan: See `run`.
        inputs: Flat arrays for in and inout buffers, of one size each; at least one.
        poison: See `run`.
        architecture: See `run`.
        budget: What the run over one of them may cost, and that over several together: of a right kernel, each
            costs a small part of it.
    """
    attempt = Attempt(program, plan, (), poison, architecture, budget)
    results: list[RunResult] = []
    for some in _side_by_side(plan, inputs):
        results += _together(replace(attempt, inputs=some))
        if results[-1].fault is not None:
            break
    return results


def _side_by_side(
    plan: Plan, inputs: Sequence[Mapping[str, Array]]
) -> Iterator[tuple[Mapping[str, Array], ...]]:
    """The inputs, as many at a time as are worth it: beyond a batch of lanes nothing is won."""
    threads = max((launch.threads for launch in plan.launches), default=1)
    room = min(LANES_PER_BATCH // max(1, threads), _BYTES_AT_ONCE // max(1, plan.buffer_bytes))
    most = 1 if plan.sampled else max(1, room)
    for first in range(0, len(inputs), most):
        yield tuple(inputs[first : first + most])


def _together(attempt: Attempt) -> list[RunResult]:
    """Run over all inputs of an attempt, one by one where that is not clean; none after the first that fails."""
    started = time.monotonic()
    found = attempt.run(exact=False) if len(attempt.inputs) > 1 else None
    if found is not None and found.clean:
        each = (time.monotonic() - started) / len(attempt.inputs)
        return [replace(result, seconds=each) for result in found.results]
    results: list[RunResult] = []
    for own in attempt.inputs:
        started = time.monotonic()
        result = _settled(replace(attempt, inputs=(own,)))
        results.append(replace(result, seconds=time.monotonic() - started))
        if result.fault is not None:
            return results
    fault = None if found is None else found.result.fault
    if fault is not None and fault.verdict not in _UNSETTLED:
        results[0] = replace(results[0], fault=fault)  # its schedule showed it, though no other does
        return results[:1]
    return results


def _settled(attempt: Attempt) -> RunResult:
    """Run over one input, and look into what is found against it."""
    result = _judged(attempt)
    if attempt.poison % 2 and result.fault is not None and result.fault.verdict is Verdict.UNINITIALIZED:
        # What nothing wrote yet, something may write later: in lock step that is a race, and told as one.
        plain = _judged(replace(attempt, scheduled=False))
        return result if plain.fault is None else plain
    return result


def _judged(attempt: Attempt) -> RunResult:
    """Run under the fast watch, and under vector clocks where that suspects a race; then settle dead reads."""
    outcome = attempt.run(exact=False)
    fault = outcome.result.fault
    if outcome.suspected or (fault is not None and fault.verdict is Verdict.RACE):
        outcome = attempt.run(exact=True)
    if outcome.watch is None:  # it ended before anything ran
        return outcome.result
    read, fault = outcome.watch.findings.dead_read, outcome.result.fault
    if read is None or _races_there(fault, read):
        return outcome.result
    if fault is not None and fault.verdict is Verdict.UNDECIDED:
        return outcome.result
    if fault is not None and fault.verdict is Verdict.RACE and outcome.watch.findings.raced_before:
        return replace(outcome.result, further=(*outcome.result.further, read))
    with_others = () if fault is None else (fault, *outcome.result.further)
    unwritten = replace(outcome.result, fault=read, further=with_others)
    if outcome.watch.findings.steered:
        return unwritten
    other = RunResult(fault) if fault is not None else attempt.run(None, inverted=True).result
    if other.fault is not None and other.fault.verdict is Verdict.UNDECIDED:
        return other
    if fault is None and _same(outcome, other):
        note = f"{read.message}; nothing comes of it: other bytes there give the same results"
        return replace(outcome.result, notes=(*outcome.result.notes, note))
    return unwritten


def _races_there(fault: Fault | None, read: Fault) -> bool:
    """Whether what was read before anybody had written it is what others write at that time."""
    if fault is None or fault.verdict is not Verdict.RACE or fault.buffer != read.buffer:
        return False
    return fault.buffer != "shared memory" or fault.offset == read.offset


def _same(outcome: AttemptOutcome, other: RunResult) -> bool:
    """Whether a run with other bytes in unwritten memory gave the same results, wherever something was written."""
    if other.fault is not None or outcome.watch is None:
        return False
    for name, found in outcome.result.outputs.items():
        first, second = (np.ascontiguousarray(a).view(np.uint8) for a in (found, other.outputs[name]))
        if (first != second)[written(outcome.watch, name, found).reshape(-1)].any():
            return False
    return True
