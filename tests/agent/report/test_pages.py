"""Pages: what they show, that figures equal the account's, that nothing of a stranger's executes, and their size."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from agent.home import Home
from agent.report import drawing
from agent.report.account import Account, CheckedKernel, Figure
from agent.report.checking import check_account, checks_account
from agent.report.html import html
from agent.report.kernels import kernel_account
from agent.report.markdown import markdown
from agent.report.reading import read_account
from agent.report.telling import comparison
from agent.store import Store
from sandbox.verdict import Provenance, Verdict
from tests.agent.report.stored_search import grow, report, search
from tests.agent.search_fakes import kernel
from tools.reports import CaseReport, CheckReport, Mismatch, SourceLine, TestReport, Timing
from tools.tasks.folder import load

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg/onload=alert(3)> {{ 7*7 }} {% raw %}"
    " ]]> javascript:alert(4) `</code>` \u202egnp.exe\u202c \u200f\x1b[31m \x07 \ud800 & &lt;b&gt; | \\"
)
FORBIDDEN = {
    "script",
    "img",
    "iframe",
    "object",
    "embed",
    "link",
    "form",
    "base",
    "audio",
    "video",
    "image",
    "foreignobject",
}


class Page(HTMLParser):
    """What a browser would build: tags with attributes, figures, balance of elements."""

    VOID = frozenset({"meta", "br", "line", "path", "rect", "link", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.figures: list[float] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "data":
            self.figures.append(float(str(dict(attrs)["value"])))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def harmless(text: str) -> Page:
    """Assert that a page runs nothing, fetches nothing and is well formed; return it."""
    page = Page(text)
    assert page.open == []
    assert not FORBIDDEN & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in {"href", "src", "xlink:href", "action", "srcdoc"}, (tag, name, value)
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search(r"[\u202a-\u202e\u2066-\u2069\u200e\u200f\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", text)
    return page


def numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        for one in value.values():
            yield from numbers(one)
    elif isinstance(value, list):
        for one in value:
            yield from numbers(one)
    elif isinstance(value, (int, float)):
        yield float(value)


def figures(value: object) -> Iterator[tuple[float, str, str]]:
    if isinstance(value, dict):
        if {"value", "unit", "provenance"} <= value.keys():
            yield value["value"], value["unit"], value["provenance"]
        for one in value.values():
            yield from figures(one)
    elif isinstance(value, list):
        for one in value:
            yield from figures(one)


def accounts(store: Store, task: Path, words: str) -> list[Account]:
    first, second = (read_account(store, search(store, task, 11, words)) for _ in range(2))
    wrong = CaseReport(
        *(
            {"n": 33},
            7,
            Verdict.WRONG_RESULT,
            words,
            3,
            0,
            33,
            9.0,
            (Mismatch(words, (3,), 1.5, words, 1e-6),),
        ),
        lines=(SourceLine(4, words),),
    )
    failed = CheckReport(
        *(Verdict.WRONG_RESULT, words, words, report(10.0, 20.0).provenance, words),
        test=TestReport(Verdict.WRONG_RESULT, words, (wrong,), 1),
    )
    known = load(task)
    passed = check_account(report(10.0, 20.0, words), known, kernel(words))
    wrong_one = check_account(failed, known, kernel(words))
    many = [
        CheckedKernel(kernel=words, task=words, verdict=verdict, message=words, slower=True, check=check)
        for verdict, check in (
            (Verdict.PASS, passed),
            (Verdict.WRONG_RESULT, wrong_one),
            (Verdict.REJECTED, None),
        )
    ]
    suite = checks_account(many, "sim:h200", "bubblewrap")
    return [first, comparison(first, second), passed, wrong_one, suite]


@pytest.mark.parametrize("drawn", [True, False])
def test_nothing_that_a_stranger_wrote_executes_or_breaks_a_page(
    store: Store, task_folder: Path, monkeypatch: pytest.MonkeyPatch, drawn: bool
) -> None:
    if not drawn:
        monkeypatch.setattr(drawing, "can_draw", lambda: False)
    # A lone surrogate can come from a model, and never reaches a database or a file.
    for account in accounts(store, task_folder, HOSTILE.replace("\ud800", "")):
        text = html(account)
        page = harmless(text)
        assert ("svg" in {tag for tag, _ in page.tags}) == (drawn and _timed(account))
        assert "alert(1)" in text
        assert "\u27e8U+202E\u27e9" in text
        assert "49" not in re.findall(r"\}\} (\d+)", text)


def _timed(account: Account) -> bool:
    return any(unit == "us" for _, unit, _ in figures(account.model_dump(mode="json")))


def test_markdown_escapes_what_strangers_wrote_and_fences_kernels(store: Store, task_folder: Path) -> None:
    for account in accounts(store, task_folder, HOSTILE.replace("\ud800", "")):
        text = markdown(account)
        outside = re.sub(r"^(`{3,})\w+\n.*?^\1$", "", text, flags=re.M | re.S)
        assert not re.search(r"(?<!\\)[<>]", outside)
        assert "\u202e" not in text
        assert "\x1b" not in text


def test_figures_of_the_page_are_those_of_the_json_with_unit_and_provenance(
    store: Store, task_folder: Path
) -> None:
    for account in accounts(store, task_folder, "plain words"):
        text, told = html(account), json.loads(account.model_dump_json())
        page = harmless(text)
        assert set(page.figures) <= set(numbers(told))
        shown = re.findall(r'<data value="([^"]+)">([^<]*)<i>(\w+)</i></data>', text)
        known = {(value, provenance) for value, _, provenance in figures(told)}
        assert {(float(value), provenance) for value, _, provenance in shown} <= known
        units = {(value, unit) for value, unit, _ in figures(told)}
        for value, words, _ in shown:
            unit = "us" if " us " in words else "x" if "x " in words else "of roofline"
            assert (float(value), unit) in units, words
        assert bool(shown) == _timed(account)


def test_a_page_shows_every_part_and_calls_estimates_estimated(store: Store, task_folder: Path) -> None:
    account = read_account(store, search(store, task_folder, 11))
    assert account.best is not None
    text = html(account)
    for heading in (
        *("Latency over candidates", "Search tree", "Where the time goes", "Roofline", "What if", "By shape"),
        *("Lines that cost most", "Settings of the sweep", "Difference to the baseline", "Budget"),
        *("How it was judged", "What was not judged", "What features earned in this run"),
    ):
        assert heading in text
    body = text.partition("<body>")[2]
    assert body.index("badge pass") < body.index("Every latency here is estimated") < body.index("<svg")
    for us in re.finditer(
        r"\d us(?! \(|[ ]?<i>estimated|[^<]*estimated)", re.sub(r"<svg.*?</svg>", "", body, flags=re.S)
    ):
        pytest.fail(f"no provenance: {body[us.start() - 40 : us.end() + 40]}")
    assert "measured" not in body.replace("nothing here was measured", "")
    assert "wrong result" in body
    assert f"Best kernel: {account.best.place}" in body
    assert "0.2500" in body


def test_a_report_of_one_search_is_small_and_one_of_2000_candidates_quick(
    store: Store, home: Home, task_folder: Path
) -> None:
    run = search(store, task_folder, 40)
    assert len(html(read_account(store, run)).encode()) < 400_000
    grow(home.database, run, 50)
    began = time.process_time()
    account = read_account(store, run)
    text = html(account)
    took = time.process_time() - began
    assert len(account.candidates) == 2000
    assert len(text.encode()) < 3_000_000
    assert took < 5.0
    assert "more candidates are in the list below" in text
    harmless(text)


def test_a_run_still_going_and_one_that_has_just_begun_have_pages_too(
    store: Store, task_folder: Path
) -> None:
    text = html(read_account(store, search(store, task_folder, 3, ended=False)))
    assert "still going" in text
    harmless(text)
    empty = read_account(store, search(store, task_folder, 0, ended=False))
    assert empty.best is None
    assert "none correct" in html(empty)
    assert "no verdict yet" in markdown(empty)


def test_a_comparison_says_what_cannot_be_compared(store: Store, task_folder: Path) -> None:
    first = read_account(store, search(store, task_folder, 5))
    other = first.model_copy(update={"device": "cuda:0"})
    assert "Not comparable" not in html(comparison(first, first))
    assert "Not comparable:</strong> different devices: sim:h200 and cuda:0" in html(comparison(first, other))


def test_a_measured_latency_is_called_measured_with_its_interval(task_folder: Path) -> None:
    found = report(10.0, 20.0)
    assert found.profile is not None
    (shape,) = found.profile.shapes
    (launch,) = shape.launches
    measured = {"provenance": Provenance.MEASURED}
    timing = Timing(40, 2.0, 1.95, 2.05, 9.8, 10.3, 9.0, 1.0, 2.0, 1980.0, 0, 3, 0)
    shape = replace(shape, launches=(replace(launch, breakdown=None, **measured),), timing=timing, **measured)
    profile = replace(found.profile, shapes=(shape,), **measured)
    account = check_account(replace(found, profile=profile, settings=()), load(task_folder), kernel())
    text = html(account)
    harmless(text)
    assert "Latencies are measured." in text
    assert "1.95 to 2.05" in text
    assert "Only estimates are taken apart" in text
    assert "estimated" not in text
    assert "estimated" not in markdown(account)


def test_a_baseline_far_slower_than_the_rest_is_left_to_the_tables(store: Store, task_folder: Path) -> None:
    account = read_account(store, search(store, task_folder, 5))
    assert account.baseline is not None
    assert "off the scale" not in html(account).lower()
    slow = account.baseline.model_copy(
        update={"latency": Figure(value=9000.0, unit="us", provenance=account.provenance)}
    )
    text = html(account.model_copy(update={"baseline": slow}))
    assert "the baseline would be off the scale" in text
    assert "Off the scale, and in the table alone: baseline" in text
    assert '<data value="9000.0">9,000 us <i>estimated</i></data>' in text


def test_a_gain_at_sizes_that_no_proposer_saw_stands_beside_the_others(
    store: Store, task_folder: Path
) -> None:
    account = read_account(store, search(store, task_folder, 5))
    found = report(25.0, 100.0)
    held = kernel_account(replace(found, final=found.profile), "best", kernel(), place="1/1")
    assert [one.latency.value for one in held.held_out] == [25.0]
    whole = account.model_copy(update={"best": held})
    text = html(whole)
    harmless(text)
    assert "best: at sizes that no proposer saw" in text
    assert '<data value="4.0">4.00x <i>estimated</i></data>' in text
    assert "n=4096, which no proposer saw: 25.0 us (estimated), speedup 4.00x (estimated)" in markdown(whole)
    assert "no proposer saw" not in html(account) + markdown(account)
