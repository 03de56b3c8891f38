"""Writes docs/gallery.md, its reports and pictures, and README's pictures, from searches of the bundled tasks.

    python -m benchmarks.gallery [--home FOLDER]

A task that the home has a search of is not searched again. The picture of a report needs Chromium and Playwright; the
others the extra `report`.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from agent.cli.progress import LiveProgress
from agent.home import Home
from agent.report import picture
from agent.report.account import Figure, RunAccount
from agent.report.figures import amount
from agent.report.html import html
from agent.report.markdown import markdown
from agent.report.reading import read_account
from agent.results import RunState, SearchRequest
from agent.search.starting import start_search
from agent.store import Store
from tools.tasks import folder as task_folder

DOCS = Path(__file__).parents[1] / "docs"
_SHOWN = "softmax"
_WIDTH, _HEIGHT = 1180, 1500
_FONTS = re.compile(r"@font-face \{.*?\}", re.S)
_HEAD = """\
# Gallery

What searches of the bundled tasks found with the composer, which needs no model: {rounds} rounds of {candidates}
kernels each, seed {seed}. `python -m benchmarks.gallery` wrote this page, its reports and its pictures.
**Every latency is estimated** by the cost model for {device}, for ranking kernels; no GPU ran them.

| task | baseline | best kernel | speedup | candidates | report |
|---|---|---|---|---|---|
"""


def main() -> None:
    """Search what was not searched, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="Where searches are kept; by default a temporary folder.")
    given: Path | None = parser.parse_args().home
    with TemporaryDirectory() as temporary:
        home = Home(given or Path(temporary))
        store = Store(home)
        runs = [_searched(store, home, name) for name in task_folder.names()]
        accounts = [read_account(store, run) for run in runs]
        write_gallery(accounts, DOCS)
        shown = next(one for one in accounts if one.task == _SHOWN)
        (DOCS / "pictures" / "terminal.svg").write_text(terminal(store, shown.run), encoding="utf-8")
        page = Path(temporary) / "report.html"
        page.write_text(html(shown), encoding="utf-8")
        photograph(page, DOCS / "pictures" / "report.png")


def _searched(store: Store, home: Home, task: str) -> str:
    """Return a finished search of a task, which is done now where there was none."""
    for one in store.list_runs(1000):
        if one.task == task and one.state is RunState.COMPLETED:
            return one.run
    print(f"searching {task}", flush=True)  # noqa: T201
    request = SearchRequest(task=task, device="sim:h200", candidates=4, depth=3, seed=1)
    return asyncio.run(start_search(request, home=home)).run


def write_gallery(accounts: Sequence[RunAccount], docs: Path) -> None:
    """Write the page, and of each search its report and its picture."""
    for folder in ("gallery", "pictures"):
        (docs / folder).mkdir(exist_ok=True)
    for one in accounts:
        drawn = f"../pictures/{one.task}.svg"
        (docs / "gallery" / f"{one.task}.md").write_text(
            f"![Latencies, parts and roofline]({drawn})\n\n{markdown(one)}", encoding="utf-8"
        )
        (docs / "pictures" / f"{one.task}.svg").write_text(picture.svg(one), encoding="utf-8")
    (docs / "gallery.md").write_text(gallery_page(accounts), encoding="utf-8")


def gallery_page(accounts: Sequence[RunAccount]) -> str:
    """Return the page: a row a search."""
    first = accounts[0]
    head = _HEAD.format(
        rounds=first.planned_rounds, candidates=first.planned_candidates, seed=first.seed, device=first.device
    )
    return head + "".join(_row(one) for one in accounts)


def _row(one: RunAccount) -> str:
    baseline = None if one.baseline is None else one.baseline.latency
    best, ratio = (None, None) if one.best is None else (one.best.latency, one.best.speedup)
    cells = [one.task, *map(_told, (baseline, best, ratio)), str(len(one.candidates))]
    return f"| {' | '.join(cells)} | [report](gallery/{one.task}.md) |\n"


def _told(figure: Figure | None) -> str:
    return "none" if figure is None else f"{amount(figure.value, figure.unit)} ({figure.provenance})"


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
