"""The outcome of a search as a person reads it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from agent.cli.output import ByProvenance, clean, one_line, table, verdict_text
from agent.exploration import exploration_text
from agent.report.account import CandidateAccount, RunAccount
from agent.report.figures import latency, microseconds, pairs, speedup
from agent.report.tree import ROOT, children, grown
from agent.results import RunState, SearchResult
from agent.store import Run, RunSummary
from sandbox.verdict import Provenance, Verdict
from tools.reports import not_judged_text

_LABEL = 13
"""Characters before what a label says."""


def task_word(stored: Run) -> str:
    """Return what commands take for a run's task: its name, else the folder where that name finds another or none."""
    from agent.home import home
    from tools.tasks.folder import folders

    known = folders(home().tasks).get(stored.task)
    found = known is not None and known.absolute() == stored.task_folder
    return stored.task if found else str(stored.task_folder)


def show_result(console: Console, result: SearchResult, task: str = "") -> None:
    """Print what a search found, and what can be done with it next; `task` is what commands take for its task."""
    console.print()
    rounds = "1 round" if result.rounds == 1 else f"{result.rounds} rounds"
    stopped = f", stopped: {result.stopped}" if result.stopped is not None else ""
    console.print(
        f"{result.run}: {len(result.candidates)} candidates in {rounds}, {result.seconds:.1f} s{stopped}"
    )
    if result.model_tokens:
        price = "of unknown price" if result.model_usd is None else f"{result.model_usd:.4f} US dollars"
        console.print(f"models       at most {result.model_tokens:,} tokens, {price}")
    if result.exploration is not None:
        _told(console, "explored", exploration_text(result.exploration))
    if result.best is None:
        reason = _last_reason(result)
        found = "nothing but copies of the baseline" if result.verdict is Verdict.PASS else "nothing correct"
        console.print(Text.assemble(f"{found} was found; the last verdict is ", verdict_text(result.verdict)))
        if reason:
            console.print(Text(reason), soft_wrap=True)
        return
    best = result.best
    console.print(f"best kernel  {best.path}", soft_wrap=True)
    console.print(f"latency      {latency(best.latency_us, best.provenance)} on {result.device}")
    if result.baseline_us is not None:
        console.print(
            f"baseline     {latency(result.baseline_us, result.baseline_provenance or best.provenance)}"
        )
    if best.speedup is not None:
        told = "" if best.against_baseline is None else f"; paired runs at the end: {best.against_baseline}"
        console.print(f"speedup      {speedup(best.speedup)} ({best.provenance}){told}")
    if (held := best.held_out) is not None:
        where = "; ".join(pairs(dims) for dims in held.shapes)
        gain = "" if held.speedup is None else f"{speedup(held.speedup)}, "
        _told(console, "held out", f"{gain}{latency(held.latency_us, held.provenance)} at {where}")
    _told(console, "features", ", ".join(best.features))
    if best.tune:
        console.print(f"tunables     {pairs(best.tune)}")
    if short := not_judged_text(Verdict.PASS, best.not_judged):
        _told(console, "verdict", f"pass{short}")
    console.print(f"judge again  warpwright check {best.path} --task {task or result.task}", soft_wrap=True)
    if best.provenance is not Provenance.MEASURED:
        console.print("The latency is a cost model's estimate, for ranking; no GPU has run this kernel.")


def _told(console: Console, label: str, said: str) -> None:
    """Print a line of words under a label: broken between words in a terminal, whole elsewhere."""
    if not console.is_terminal:
        console.print(f"{label:<{_LABEL}}{said}", soft_wrap=True)
        return
    lines = Table.grid(padding=0)
    lines.add_column(width=_LABEL)
    lines.add_column()
    lines.add_row(label, Text(said))
    console.print(lines)


def show_runs(console: Console, summaries: Sequence[RunSummary]) -> None:
    """Print one line a run."""
    console.print(runs_table(summaries))


def runs_table(summaries: Sequence[RunSummary]) -> Table:
    """Return one line a run."""
    timed = [summary for summary in summaries if summary.best_latency_us is not None]
    columns = ByProvenance("us", (summary.provenance for summary in timed))
    made = table("!run", "device", "model", "state", ">judged", *columns.heads, ">speedup")
    for summary in summaries:
        value = "" if summary.best_latency_us is None else microseconds(summary.best_latency_us)
        made.add_row(
            summary.run,
            summary.device,
            Text(clean(summary.model)),
            summary.state,
            str(summary.candidates),
            *columns.cells(value, summary.provenance),
            speedup(summary.speedup),
        )
    return made


def show_run(console: Console, result: SearchResult, stored: Run, account: RunAccount) -> None:
    """Print a stored run: where it stands, its candidates, who was built on whom, what it found."""
    console.print(
        f"{result.run}: {result.task} on {result.device}, {', '.join(filter(None, (result.model, result.strategy)))},"
        f" {stored.state}"
    )
    if stored.error:
        console.print(Text(clean(stored.error)), soft_wrap=True)
    console.print()
    show_candidates(console, result)
    if account.candidates:
        console.print()
        console.print(candidate_tree(account))
    show_result(console, result, task_word(stored))
    if stored.state in (RunState.INTERRUPTED, RunState.CANCELLED, RunState.FAILED):
        console.print(f"go on with   warpwright resume {result.run}")


def show_candidates(console: Console, result: SearchResult) -> None:
    """Print every candidate of a run."""
    timed = [record for record in result.candidates if record.latency_us is not None]
    columns = ByProvenance("us", (record.provenance for record in timed))
    made = table(">round", ">candidate", "features", "verdict", *columns.heads, ">speedup", "")
    for record in result.candidates:
        value = "" if record.latency_us is None else microseconds(record.latency_us)
        made.add_row(
            str(record.round),
            str(record.candidate),
            Text(record.tried),
            verdict_text(record.verdict),
            *columns.cells(value, record.provenance),
            speedup(record.speedup),
            Text("" if record.latency_us is not None else one_line(record.message, 60)),
        )
    console.print(made)


def candidate_tree(account: RunAccount) -> Tree:
    """Return who was built on whom; of a large search the winning path and what grew next to it."""
    shown = grown(account)
    below = children(shown)
    known = None if account.baseline is None else account.baseline.latency
    start = "baseline" if known is None else f"baseline {latency(known.value, known.provenance)}"
    left_out = len(account.candidates) - len(shown)
    root = Tree(start + (f"   ({left_out} more candidates are in the table)" if left_out else ""))
    waiting = [(root, ROOT)]
    while waiting:  # a line of descent may be longer than a call stack is deep
        node, place = waiting.pop()
        waiting += [(node.add(_branch(one)), one.place) for one in below.get(place, ())]
    return root


def _branch(one: CandidateAccount) -> Text:
    found = verdict_text(one.verdict) if one.latency is None else Text()
    if one.latency is not None:
        found = Text(latency(one.latency.value, one.latency.provenance))
    tried = clean(", ".join(one.tried) or "no feature")
    fresh = "" if one.parents else "  (fresh start)"
    style = "bold" if one.winning else ""
    return Text.assemble((f"{one.place} ", style), found, f"  {tried}{fresh}", style=style)


def _last_reason(result: SearchResult) -> str:
    return clean(result.candidates[-1].message).strip() if result.candidates else ""
