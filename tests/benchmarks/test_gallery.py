"""The gallery: a row a search with the word for where numbers come from, and pictures that stand alone."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from agent.events import BaselineJudged, CandidateJudged, RunStarted
from agent.home import Home
from agent.results import SearchRequest
from agent.store import Store
from agent.suites import record
from agent.suites.reading import read_suite
from benchmarks.gallery import DOCS, MOST_BYTES, latest, terminal, write_gallery
from sandbox.verdict import Provenance, Verdict
from tests.agent.report.stored_search import search
from tests.agent.search_fakes import write_task
from tools.tasks.suites import Suite, SuiteTask

FIGURES = re.compile(r"([\d,.]+) ?(?:us|x) \((\w+)\)")
PLAIN = SearchRequest(task="", candidates=4, depth=2)


def rows(page: str) -> dict[str, str]:
    """The rows of a gallery's page by task."""
    found = re.findall(r"^\| (\w+) (\|.*)$", page, re.MULTILINE)
    return {task: row for task, row in found if task != "task"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Home(tmp_path / "home"))


def alone(text: str) -> None:
    """Assert that an SVG is well formed and fetches nothing."""
    ElementTree.fromstring(text)
    assert not re.search(r"var\(--|@import|url\((?!#)|(?:href|src)=\"(?!#)|<script|<image", text)


def test_a_gallery_has_a_row_a_report_and_plots_of_each_task_of_a_suite_and_no_others(
    store: Store, tmp_path: Path
) -> None:
    home, folder, docs = Home(tmp_path / "home"), write_task(tmp_path / "twice"), tmp_path / "docs"
    (docs / "gallery").mkdir(parents=True)
    (docs / "gallery" / "older.md").touch()
    (docs / "pictures").mkdir()
    (docs / "pictures" / "report.png").touch()
    tasks = SuiteTask(str(folder), ()), SuiteTask(str(tmp_path / "none"), ())
    kept = record.begin(Suite("two", "Two tasks.", tasks, ()), PLAIN, 2, home)
    runs = search(store, folder, 1), search(store, folder, 8)
    for seed, run in enumerate(runs, start=1):
        kept.change(str(folder), seed, run=run)
    kept.change(str(tmp_path / "none"), 1, problem="no | such task")
    known = latest("two", home)
    assert known is not None
    write_gallery(read_suite(known, home), store, docs)

    def latency(run: str) -> float:
        best = store.get_result(run).best
        return 0 if best is None else best.latency_us

    page = (docs / "gallery.md").read_text()
    assert set(rows(page)) == {"twice", "none"}
    figures = FIGURES.findall(rows(page)["twice"])
    assert [provenance for _, provenance in figures] == ["estimated"] * 3
    assert float(figures[0][0]) / float(figures[1][0]) == pytest.approx(float(figures[2][0]), abs=0.02)
    assert "no \\| such task" in rows(page)["none"]
    assert "1 of 2 tasks have a correct kernel" in page
    report = (docs / "gallery/twice.md").read_text()
    assert report.startswith("![Latencies")
    assert min(runs, key=latency) in report
    alone((docs / "pictures/twice.svg").read_text())
    assert [one.name for one in (docs / "gallery").iterdir()] == ["twice.md"]
    assert (docs / "pictures/report.png").exists()


def test_a_suite_is_found_by_its_id_or_the_latest_by_its_name(tmp_path: Path) -> None:
    home = Home(tmp_path)
    task = (SuiteTask("relu", ()),)
    first, second = (record.begin(Suite("one", "", task, ()), PLAIN, 1, home).record for _ in range(2))
    assert latest(first.id, home) == first
    assert latest("one", home) == second
    assert latest("other", home) is None


def test_a_terminal_is_pictured_without_fonts_from_elsewhere(store: Store, tmp_path: Path) -> None:
    run = search(store, write_task(tmp_path / "twice"), 1)
    us = {"provenance": Provenance.ESTIMATED}
    candidate = {
        "round": 1,
        "candidate": 1,
        "features": ["loop_unrolling"],
        "verdict": Verdict.PASS,
        "message": "",
    }
    for event in (
        RunStarted(
            run=run,
            task="twice",
            device="sim:h200",
            isolation="none",
            model="composer",
            candidates=1,
            depth=1,
        ),
        BaselineJudged(run=run, latency_us=10.0, **us),
        CandidateJudged.model_validate({"run": run, **candidate, **us, "latency_us": 5.0, "is_best": True}),
    ):
        store.event_log.append(event)
    text = terminal(store, run)
    alone(text)
    assert "loop_unrolling" in text
    assert "12&#160;s" in text


def test_the_gallery_in_the_documents_has_the_reports_and_plots_that_it_names_and_stays_small() -> None:
    named = rows((DOCS / "gallery.md").read_text())
    reported = {task for task, row in named.items() if f"(gallery/{task}.md)" in row}
    assert reported
    assert {path.stem for path in (DOCS / "gallery").iterdir()} == reported
    plots = {path.stem for path in (DOCS / "pictures").iterdir()} - {"report", "terminal"}
    assert plots <= reported
    for name in plots:
        alone((DOCS / "pictures" / f"{name}.svg").read_text())
    kept = [*(DOCS / "gallery").iterdir(), *(DOCS / "pictures").iterdir()]
    assert sum(path.stat().st_size for path in kept) < MOST_BYTES
