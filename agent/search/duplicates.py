"""Candidates that are the same kernel are judged once."""

from __future__ import annotations

import hashlib
import re

from agent.candidates import Submission, Trial
from agent.search.deps import Deps
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


async def original_of(deps: Deps, submission: Submission, kernel: str) -> Submission | None:
    """Return the earlier candidate that is the same kernel: by its source, or by what it compiles to."""
    assert submission.sha is not None, "only candidates with a kernel are compared"
    same = deps.store.candidates.first_with(deps.run, submission.sha)
    if same is not None and same.place != submission.place:
        return same
    compiled = await deps.interruption.guard(deps.toolbox.do(CompileOrder(deps.task, kernel)))
    key = identity(kernel, compiled)
    return None if key is None else deps.store.candidates.claim(deps.run, submission, key)


def repeated(deps: Deps, submission: Submission, original: Submission) -> Trial | None:
    """Return what becomes of a duplicate; None where the original, of the same round, is not judged yet."""
    trial = deps.store.candidates.trial(deps.run, original.place)
    return None if trial is None else submission.repeating(trial)
