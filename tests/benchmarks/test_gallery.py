"""The gallery: a row a search with the word for where numbers come from, and pictures that stand alone."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from agent.events import BaselineJudged, CandidateJudged, RunStarted
from agent.home import Home
from agent.report.reading import read_account
from agent.store import Store
from benchmarks.gallery import DOCS, terminal, write_gallery
from sandbox.verdict import Provenance, Verdict
from tests.agent.report.stored_search import search
from tests.agent.search_fakes import write_task

ROW = re.compile(
    r"\| (\w+) \| ([\d,.]+) us \((\w+)\) \| ([\d,.]+) us \((\w+)\) \| ([\d.]+)x \((\w+)\) \| \d+ \|"
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Home(tmp_path / "home"))


def alone(text: str) -> None:
    """Assert that an SVG is well formed and fetches nothing."""
    ElementTree.fromstring(text)
    assert not re.search(r"var\(--|@import|url\((?!#)|(?:href|src)=\"(?!#)|<script|<image", text)


def test_a_gallery_has_a_row_a_report_and_a_picture_of_each_search(store: Store, tmp_path: Path) -> None:
    run = search(store, write_task(tmp_path / "twice"), 8)
    write_gallery([read_account(store, run)], tmp_path)
    (row,) = ROW.findall((tmp_path / "gallery.md").read_text())
    assert row[0] == "twice"
    assert {row[2], row[4], row[6]} == {"estimated"}
    assert "![Latencies" in (tmp_path / "gallery/twice.md").read_text()
    alone((tmp_path / "pictures/twice.svg").read_text())


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


def test_the_gallery_in_the_documents_has_every_bundled_task_that_it_names() -> None:
    rows = ROW.findall((DOCS / "gallery.md").read_text())
    assert {"softmax", "relu", "matmul"} <= {row[0] for row in rows}
    for name, *_ in rows:
        assert (DOCS / "gallery" / f"{name}.md").is_file()
        alone((DOCS / "pictures" / f"{name}.svg").read_text())
