"""Candidates that are the same kernel are judged once."""

from __future__ import annotations

import hashlib
import re

from agent.search.deps import Deps
from agent.store.records import Draft, Judgement
from sandbox.verdict import Verdict
from tools.reports import CompileReport
from tools.toolbox import CompileOrder

_DIRECTIVE = re.compile(r"^\s*//@\s*(.*?)\s*$", re.MULTILINE)


def identity(kernel: str, compiled: CompileReport) -> str | None:
    """Return what makes a kernel what it is: its PTX, and how it is launched and tuned. None without PTX."""
    if compiled.verdict is not Verdict.PASS or not compiled.ptx_key:
        return None
    directives = [" ".join(line.split()) for line in _DIRECTIVE.findall(kernel)]
    return hashlib.sha256("\n".join((compiled.ptx_key, *directives)).encode()).hexdigest()


async def original_of(deps: Deps, draft: Draft, kernel: str) -> Draft | None:
    """Return the earlier candidate that is the same kernel: by its source, or by what it compiles to."""
    assert draft.sha is not None, "only candidates with a kernel are compared"
    same = deps.store.candidates.first_with(deps.run, draft.sha)
    if same is not None and (same.round, same.candidate) != (draft.round, draft.candidate):
        return same
    compiled = await deps.interruption.guard(deps.toolbox.do(CompileOrder(deps.task, kernel)))
    key = identity(kernel, compiled)
    return None if key is None else deps.store.candidates.claim(deps.run, draft, key)


def repeated(deps: Deps, original: Draft) -> Judgement | None:
    """Return the judgement of a duplicate; None where the original, of the same round, has none yet."""
    trial = deps.store.candidates.trial(deps.run, original)
    if trial is None:
        return None
    record = trial.record
    name = "the baseline" if record.round == 0 else f"round {record.round} candidate {record.candidate}"
    said = "" if record.verdict is Verdict.PASS else f": {record.message}"
    return Judgement(
        verdict=record.verdict,
        message=f"the same kernel as {name}, not judged again{said}",
        latency_us=record.latency_us,
        provenance=record.provenance,
        speedup=record.speedup,
        tune=record.tune,
        report=trial.report,
        duplicate_of=f"{record.round}/{record.candidate}",
    )
