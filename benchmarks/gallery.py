"""Writes docs/gallery.md with reports and plots of a suite's searches, and README's pictures, from one for softmax.

    python -m benchmarks.gallery [SUITE] [--home FOLDER]

SUITE is the id of a suite that the home has (`warpwright suite`), or a name, by default fsr20: the latest of that
name is taken, and where there is none it is searched now. What the gallery had before is removed. The picture of a
report needs Chromium and Playwright; the others the extra `report`.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from agent.cli.searching.progress import LiveProgress
from agent.home import Home
from agent.report import picture
from agent.report.account import Figure, RunAccount
from agent.report.figures import amount, pairs
from agent.report.html import html
from agent.report.markdown import cell, markdown
from agent.report.reading import read_account
from agent.report.task_suite_account import SuiteRow, TaskSuiteAccount
from agent.report.task_suite_figures import outcome, two_digits
from agent.results import RunState, SearchRequest
from agent.search.starting import start_search
from agent.store import Store
from agent.suites import record
from agent.suites.reading import read_suite

DOCS = Path(__file__).parents[1] / "docs"
MOST_BYTES = 2_000_000
"""Of all that a gallery writes, README's pictures included: it is part of every checkout."""
_SHOWN = "softmax"
_OF_README = frozenset({"report.png", "terminal.svg"})
_WIDTH, _HEIGHT = 1180, 1500
_FONTS = re.compile(r"@font-face \{.*?\}", re.S)
_HEAD = """\
# Gallery

What the suite {name} found: {model}, strategy {strategy}, {depth} rounds of {candidates} kernels for each of its
tasks, begun {created:%Y-%m-%d}. `python -m benchmarks.gallery` wrote this page, its reports and their plots.
{provenance}

| task | result | timed at | baseline | best kernel | speedup | bound by | correct | report |
|---|---|---|---|---|---|---|---|---|
"""
_PROVENANCE = {
    "estimated": "**Every latency is estimated** by the cost model for {device}, for ranking; no GPU ran a kernel.",
    "measured": "Latencies were measured on {device}.",
}
_SUMS = """
{solved} of {tasks} tasks have a correct kernel; one without counts as 1 ([what is told](suites.md)).
Speedups ({provenance}): geometric mean {mean}, median {median}, most {most}; {below} below 1.
"""


def main() -> None:
    """Search what was not searched, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "suite", nargs="?", default="fsr20", help="A name, or the id of one that was searched."
    )
    parser.add_argument("--home", type=Path, help="Where searches are kept; by default a temporary folder.")
    given = parser.parse_args()
    with TemporaryDirectory() as temporary:
        home = Home(given.home or Path(temporary))
        kept = _kept(given.suite, home)
        write_gallery(read_suite(kept, home), Store(home), DOCS)
        write_pictures(Store(home), home, DOCS / "pictures", Path(temporary))


def _kept(suite: str, home: Home) -> record.SuiteRecord:
    """Return the record of a suite, which is searched now where the home has none of that id or name."""
    if (found := latest(suite, home)) is None:
        command = [sys.executable, "-m", "warpwright", "suite", suite]
        subprocess.run(command, env={**os.environ, "WARPWRIGHT_HOME": str(home.root)}, check=False)
        found = latest(suite, home)
    if found is None:
        raise SystemExit(f"{home.suites} has no suite {suite}")
    return found


def latest(suite: str, home: Home) -> record.SuiteRecord | None:
    """Return the record of a suite by its id, or the latest of its name; None where the home has none."""
    if (kept := record.find(suite, home)) is not None:
        return kept.record
    ids = [one.parent.name for one in home.suites.glob("*/suite.json")]
    known = [kept.record for kept in (record.find(one, home) for one in ids) if kept is not None]
    return max((one for one in known if one.name == suite), key=lambda one: one.created, default=None)


def write_gallery(suite: TaskSuiteAccount, store: Store, docs: Path) -> None:
    """Write the page, and of each task's best search its report and its plots; older ones are removed."""
    reports = {row.task: shown for row in suite.rows if (shown := best_of(row, store)) is not None}
    for folder in ("gallery", "pictures"):
        (docs / folder).mkdir(exist_ok=True)
        for old in (docs / folder).iterdir():
            if old.name not in _OF_README:
                old.unlink()
    for task, one in reports.items():
        drawn = "" if one.best is None else f"![Latencies, parts and roofline](../pictures/{task}.svg)\n\n"
        (docs / "gallery" / f"{task}.md").write_text(f"{drawn}{markdown(one)}", encoding="utf-8")
        if one.best is not None:
            (docs / "pictures" / f"{task}.svg").write_text(picture.svg(one), encoding="utf-8")
    (docs / "gallery.md").write_text(gallery_page(suite, reports), encoding="utf-8")


def best_of(row: SuiteRow, store: Store) -> RunAccount | None:
    """Return the search that found a task's best kernel; the first where none did, None where none began."""
    found = [read_account(store, run) for run in row.runs]
    return min(found, key=_latency, default=None)


def _latency(one: RunAccount) -> float:
    best = None if one.best is None else one.best.latency
    return float("inf") if best is None else best.value


def gallery_page(suite: TaskSuiteAccount, reports: Mapping[str, RunAccount]) -> str:
    """Return the page: a row a task, and what they add up to."""
    head = _HEAD.format(
        name=suite.name,
        model=suite.model,
        strategy=suite.strategy,
        depth=suite.depth,
        candidates=suite.candidates,
        created=suite.created,
        provenance=_PROVENANCE[suite.provenance].format(device=suite.device),
    )
    sums = _SUMS.format(
        solved=suite.solved,
        tasks=len(suite.rows),
        provenance=suite.provenance,
        mean=two_digits(suite.ours.geometric_mean),
        median=two_digits(suite.ours.median),
        most=two_digits(suite.ours.most),
        below=suite.ours.below_one,
    )
    return head + "".join(_row(row, row.task in reports) for row in suite.rows) + sums


def _row(row: SuiteRow, reported: bool) -> str:
    report = f"[report](gallery/{row.task}.md)" if reported else ""
    cells = [
        *(row.task, cell(outcome(row)), "; ".join(map(pairs, row.shapes))),
        *map(_told, (row.baseline, row.latency, row.speedup)),
        *(row.bottleneck, f"{row.correct} of {row.candidates}", report),
    ]
    return f"| {' | '.join(cells)} |\n"


def _told(figure: Figure | None) -> str:
    return "none" if figure is None else f"{amount(figure.value, figure.unit)} ({figure.provenance})"


def write_pictures(store: Store, home: Home, pictures: Path, temporary: Path) -> None:
    """Write README's pictures: of a search as the terminal shows it, and of its report."""
    run = _searched(store, home, _SHOWN)
    (pictures / "terminal.svg").write_text(terminal(store, run), encoding="utf-8")
    page = temporary / "report.html"
    page.write_text(html(read_account(store, run)), encoding="utf-8")
    photograph(page, pictures / "report.png")


def _searched(store: Store, home: Home, task: str) -> str:
    """Return a finished search of a task, which is done now where there was none."""
    for one in store.list_runs(1000):
        if one.task == task and one.state is RunState.COMPLETED:
            return one.run
    print(f"searching {task}", flush=True)  # noqa: T201
    request = SearchRequest(task=task, device="sim:h200", candidates=4, depth=3, seed=1)
    return asyncio.run(start_search(request, home=home)).run


def terminal(store: Store, run: str) -> str:
    """Return what a terminal showed at the end of a search, as SVG without fonts from elsewhere."""
    console = Console(record=True, width=132, height=40, file=io.StringIO(), force_terminal=True)
    worked, times = store.get_run(run).seconds, [0.0]
    view = LiveProgress(console, clock=lambda: times[-1])
    for one in store.events_since(run):
        view(one.event)
    times.append(worked)
    console.print(view.render())
    return _FONTS.sub("", console.export_svg(title=f"warpwright optimize {_SHOWN}"))


def photograph(page: Path, to: Path) -> None:
    """Write a picture of the beginning of a page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        shown = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        shown.goto(page.as_uri())
        shown.screenshot(path=to)
        browser.close()


if __name__ == "__main__":
    main()
