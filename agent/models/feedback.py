"""What the tools said about a kernel, in words for a model. The same report always gives the same words."""

from __future__ import annotations

from agent.candidates import Trial
from agent.models.profile_words import profile_lines, sweep_lines, timing
from sandbox.verdict import Verdict
from tools.reports import (
    CaseReport,
    CheckReport,
    CompileReport,
    TestReport,
)

_DIAGNOSTICS = 12
_MESSAGE = 2000


def short(sha: str) -> str:
    """Return the short name of a kernel that models see."""
    return sha[:8]


_UNDECIDED = (
    "Nothing is known against this kernel: the machine that judges had no time, memory or worker left for it. It may "
    "be right; do not repair what no message names."
)


def baseline_line(report: CheckReport) -> str:
    """Say how fast the baseline is."""
    profile = report.profile
    if profile is None or profile.latency_us is None:
        return "not timed."
    bound = f", bound by {profile.bottleneck}" if profile.bottleneck else ""
    return f"{timing(profile.latency_us, profile.provenance)}{bound}."


def trial_line(trial: Trial) -> str:
    """Return one line of history."""
    name = f"{short(trial.sha)} " if trial.sha else ""
    head = f"round {trial.round} candidate {trial.candidate} {name}[{', '.join(trial.features)}]"
    if trial.verdict is not Verdict.PASS or trial.latency_us is None:
        return f"{head}: {trial.verdict}: {_first_line(trial.message)}"
    gain = "" if trial.speedup is None else f", {trial.speedup:.3g}x the baseline's speed"
    tune = "".join(f", {name}={value}" for name, value in sorted(trial.tune.items()))
    return f"{head}: pass, {timing(trial.latency_us, trial.provenance)}{gain}{tune}"


def feedback(trial: Trial, kernel: str | None) -> str:
    """Return what a coder or critic needs to know of a judged candidate, by the stage that it reached."""
    report = trial.report
    compiled = [] if report is None else _compile_lines(report.compile, kernel)
    # The compiler's messages say it all, with their lines; a report's message would only repeat them.
    said = "" if compiled else _bounded(trial.message)
    lines = [f"Verdict: {trial.verdict}. {said}".rstrip(), *compiled]
    if trial.verdict is Verdict.UNDECIDED:
        lines.append(_UNDECIDED)
    if report is not None:
        if report.test is not None:
            lines += _test_lines(report.test, said=report.message)
        lines += [*profile_lines(report.profile), *_suspicion_lines(report.compile)]
        lines += sweep_lines(report, trial.tune)
    return "\n".join(lines)


def baseline_feedback(report: CheckReport) -> str:
    """Return what a coder needs to know of the baseline it starts from."""
    return "\n".join(
        ["This is the task's own baseline: correct, and to be beaten.", *profile_lines(report.profile)]
    )


def judgement_feedback(report: CompileReport | TestReport, kernel: str) -> str:
    """Return why a kernel fails to compile or to be right, in the words of `feedback`."""
    if isinstance(report, CompileReport):
        lines = _compile_lines(report, kernel) or [_bounded(report.message)]
    else:
        lines = [_bounded(report.message), *_test_lines(report, said=report.message)]
    return "\n".join((f"Verdict: {report.verdict}.", *lines))


def _compile_lines(report: CompileReport | None, kernel: str | None) -> list[str]:
    if report is None or report.verdict is Verdict.PASS:
        return []
    source = (kernel or "").splitlines()
    lines: list[str] = []
    for diagnostic in report.diagnostics[:_DIAGNOSTICS]:
        where = "" if diagnostic.line is None else f"line {diagnostic.line}: "
        lines.append(f"{where}{diagnostic.severity}: {_bounded(diagnostic.message)}")
        if diagnostic.line is not None and 1 <= diagnostic.line <= len(source):
            lines.append(f"    {source[diagnostic.line - 1].strip()}")
    left = len(report.diagnostics) - _DIAGNOSTICS
    return lines if left <= 0 else [*lines, f"({left} more messages)"]


def _suspicion_lines(report: CompileReport | None) -> list[str]:
    if report is None:
        return []
    return [
        f"Suspicious{'' if one.line is None else f' at line {one.line}'}: {one.construct}: {one.why}."
        for one in report.suspicions[:_DIAGNOSTICS]
    ]


def _test_lines(report: TestReport, said: str) -> list[str]:
    """Return the failures of a test, but for what is said elsewhere."""
    failed = report.failures
    passed = len(report.cases) - len(failed)
    if report.verdict is Verdict.PASS:
        return []
    lines = [f"{passed} judgements passed before."] if passed else []
    if len(failed) > 1:
        lines.append(f"{len(failed)} failures were found, the most serious first; repair all of them.")
    for case in failed:
        lines += _case_lines(case, said=said)
    return lines


def _case_lines(case: CaseReport, *, said: str) -> list[str]:
    dims = ", ".join(f"{name} = {value}" for name, value in case.dims.items())
    lines = [] if case.message in said else [f"Case {dims}: {case.verdict}: {_bounded(case.message)}"]
    if case.wrong:
        unwritten = f", {case.unwritten} of them never written" if case.unwritten else ""
        lines.append(f"At {dims}: {case.wrong} of {case.total} elements are wrong{unwritten}. The first:")
    lines += [
        f"  {wrong.output}[{', '.join(map(str, wrong.index))}] is {wrong.got}, expected {wrong.expected}"
        f" (within {wrong.bound:.3g})"
        for wrong in case.first
    ]
    if case.fault is not None and case.fault.message not in said:
        where = [f"kernel {case.fault.kernel}" if case.fault.kernel else ""]
        where += [f"line {case.fault.line}" if case.fault.line is not None else ""]
        where += [f"block {case.fault.block}" if case.fault.block is not None else ""]
        where += [f"thread {case.fault.thread}" if case.fault.thread is not None else ""]
        lines.append(f"Fault: {_bounded(case.fault.message)} ({', '.join(filter(None, where))})")
    return [*lines, *(f"  line {line.number}: {_bounded(line.text)}" for line in case.lines)]


def _bounded(message: str) -> str:
    return message if len(message) <= _MESSAGE else f"{message[:_MESSAGE]} [...]"


def _first_line(message: str) -> str:
    line = message.strip().partition("\n")[0]
    return line if len(line) <= 200 else f"{line[:200]}..."
