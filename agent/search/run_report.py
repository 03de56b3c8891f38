"""A run as a report for people: Markdown, with the word for where each number comes from."""

from __future__ import annotations

from agent.candidates import Candidate
from agent.exploration import exploration_text
from agent.results import BestKernel, HeldOut, SearchResult
from sandbox.verdict import Provenance, Verdict
from tools.reports import not_judged_text

_MESSAGE = 160


def markdown(result: SearchResult, kernel: str | None) -> str:
    """Return a report.

    Args:
        result: What the run found.
        kernel: Text of its best kernel; None where there is none.
    """
    lines = [
        f"# {result.run}",
        "",
        f"Task {result.task}, device {result.device}, isolation {result.isolation}, model {result.model}, strategy"
        f" {result.strategy or 'of an earlier version'}.",
        "",
        _ending(result),
        *(
            []
            if result.exploration is None
            else ["", f"It looked at {exploration_text(result.exploration)}."]
        ),
        "",
        "## Best kernel",
        "",
        *_best(result.best, result.baseline_us, kernel),
        "## Candidates",
        "",
        "| round | candidate | features | verdict | latency | speedup | message |",
        "|---|---|---|---|---|---|---|",
        *(_row(one) for one in result.candidates),
    ]
    return "\n".join(lines) + "\n"


def _ending(result: SearchResult) -> str:
    ended = "It has not ended." if result.stopped is None else f"It ended: {result.stopped}."
    return f"{result.rounds} rounds, {len(result.candidates)} judged, {result.seconds:.0f} s. {ended}"


def _best(best: BestKernel | None, baseline_us: float | None, kernel: str | None) -> list[str]:
    if best is None:
        return ["None: no candidate was correct.", ""]
    lines = [
        f"Round {best.round}, candidate {best.candidate}: {_latency(best.latency_us, best.provenance)}"
        + ("" if baseline_us is None else f"; the baseline: {_latency(baseline_us, best.provenance)}")
        + ("." if best.speedup is None else f". {best.speedup:.2f} times as fast as the baseline.")
        + ("" if best.held_out is None or best.held_out.speedup is None else _held_out(best.held_out))
        + (f" Pass{short}." if (short := not_judged_text(Verdict.PASS, best.not_judged)) else ""),
        "",
    ]
    if kernel is None:
        return lines
    fence = "`" * (_longest_run_of_backticks(kernel) + 3)
    return [*lines, f"{fence}cuda", kernel.rstrip("\n"), fence, ""]


def _held_out(found: HeldOut) -> str:
    where = "; ".join(", ".join(f"{name}={size}" for name, size in dims.items()) for dims in found.shapes)
    return f" At {where}, which no proposer saw: {found.speedup:.2f} times as fast ({found.provenance})."


def _longest_run_of_backticks(text: str) -> int:
    longest = run = 0
    for one in text:
        run = run + 1 if one == "`" else 0
        longest = max(longest, run)
    return longest


def _row(one: Candidate) -> str:
    cells = [
        *(str(one.round), str(one.candidate), one.tried, str(one.verdict)),
        "" if one.latency_us is None else _latency(one.latency_us, one.provenance),
        "" if one.speedup is None else f"{one.speedup:.2f}",
        one.message[:_MESSAGE],
    ]
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"


def _latency(microseconds: float, provenance: Provenance) -> str:
    return f"{microseconds:.2f} us ({provenance})"
