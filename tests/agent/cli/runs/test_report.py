"""`report` and `check --report`: which file is written, in which format, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import Result

from agent.home import Home
from agent.store import Store
from tests.agent.mcp.http_serving import own_run
from tests.agent.report.stored_search import search
from tests.agent.search_fakes import write_task

Warpwright = Callable[..., Result]


@pytest.fixture
def store(home: Path) -> Store:
    return Store(Home(home))


@pytest.fixture
def run(store: Store, tmp_path: Path) -> str:
    return search(store, write_task(tmp_path / "twice"), 6)


def test_a_page_goes_into_the_runs_folder_and_its_path_is_printed(
    warpwright: Warpwright, store: Store, run: str
) -> None:
    result = warpwright("report", run)
    assert result.exit_code == 0, result.output
    path = store.kernels.folder(run) / "report.html"
    assert result.stdout == f"{path}\n"
    assert path.read_text().startswith("<!DOCTYPE html>")


def test_json_and_markdown_are_printed_and_a_files_name_chooses_the_format(
    warpwright: Warpwright, run: str, tmp_path: Path
) -> None:
    told = json.loads(warpwright("report", run, "--format", "json").stdout)
    assert (told["kind"], told["run"], len(told["candidates"])) == ("run", run, 6)
    assert warpwright("report", run, "--format", "md").stdout.startswith("# twice: pass\n")
    for name, begins in (("a.json", "{"), ("a.md", "# twice"), ("a.html", "<!DOCTYPE"), ("a", "<!DOCTYPE")):
        assert warpwright("report", run, "--output", tmp_path / name).exit_code == 0
        assert (tmp_path / name).read_text().startswith(begins)
    assert warpwright("report", run, "--output", "-").stdout.startswith("<!DOCTYPE")


def test_two_runs_are_compared(warpwright: Warpwright, store: Store, run: str, tmp_path: Path) -> None:
    other = search(store, tmp_path / "twice", 4)
    result = warpwright("report", run, other)
    assert result.exit_code == 0, result.output
    text = Path(result.stdout.strip()).read_text()
    assert run in text
    assert other in text
    told = json.loads(warpwright("report", run, other, "--format", "json").stdout)
    assert [told["first"]["run"], told["second"]["run"]] == [run, other]


def test_open_shows_the_page_that_was_written(
    warpwright: Warpwright, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(typer, "launch", opened.append)
    page = tmp_path / "a page.html"
    assert warpwright("report", run, "--output", page, "--open").exit_code == 0
    assert opened == [page.as_uri()]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nosuch",), "no run named 'nosuch'"),
        (("RUN", "nosuch"), "no run named 'nosuch'"),
        (("RUN", "--output", "/nosuch/a.html"), "cannot be written: No such file or directory"),
        (("RUN", "--open", "--format", "json"), "--open shows a page"),
        (("RUN", "--open", "--output", "-"), "--open shows a page"),
    ],
)
def test_what_cannot_be_done_is_one_message(
    warpwright: Warpwright, run: str, arguments: tuple[str, ...], said: str
) -> None:
    result = warpwright("report", *(run if one == "RUN" else one for one in arguments))
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_json_holds_where_a_text_is_no_unicode_and_a_figure_no_number(store: Store, run: str) -> None:
    from agent.cli.runs.report import ReportFormat, rendered
    from agent.report.reading import read_account

    account = read_account(store, run)
    assert account.best is not None
    odd = account.best.model_copy(update={"message": "\ud800", "error": float("nan")})
    text = rendered(account.model_copy(update={"best": odd}), ReportFormat.JSON).decode()

    def refuse(constant: str) -> Any:
        pytest.fail(constant)

    told = json.loads(text, parse_constant=refuse)
    assert (told["best"]["message"], told["best"]["error"]) == ("\ud800", None)


def test_check_writes_its_judgement_as_a_page_line_by_line(
    warpwright: Warpwright, good: Path, tmp_path: Path, quick: str
) -> None:
    page = tmp_path / "good.html"
    result = warpwright("check", good, "--task", quick, "--sweep", "--report", page, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    text = page.read_text()
    assert f'<data value="{told["profile"]["latency_us"]}">' in text
    assert "Every latency here is estimated" in text
    assert "(chosen)" in text
    assert "What was not judged" in text
    unguarded = tmp_path / "unguarded.cu"
    unguarded.write_text(good.read_text().replace("if (i < n) ", ""))
    assert warpwright("check", unguarded, "--task", quick, "--report", page).exit_code == 1
    text = page.read_text()
    assert re.search(r'<li data-line="5" class="fault">.*&lt;- memory fault</span>', text)
    assert "estimated" not in text


def test_many_kernels_have_one_page_with_the_parts_of_each(
    warpwright: Warpwright, good: Path, tmp_path: Path, quick: str
) -> None:
    wrong, page = tmp_path / "wrong.cu", tmp_path / "all.html"
    wrong.write_text(good.read_text().replace("x[i] + y[i]", "x[i] - y[i]"))
    asked = ("check", good, wrong, "--task", quick, "--report")
    result = warpwright(*asked, page, "--format", "json")
    assert result.exit_code == 1, result.output
    told, text = json.loads(result.stdout), page.read_text()
    assert "1 of 2 kernels are right" in text
    assert f'<data value="{told["results"][0]["latency_us"]}">' in text
    assert text.count("How it was judged") == 4
    assert warpwright(*asked, tmp_path / "all.md").exit_code == 1
    assert "| wrong_result |" in (tmp_path / "all.md").read_text()


def test_a_picture_shows_the_plots_in_the_pages_colours(
    warpwright: Warpwright, store: Store, home: Path, run: str, tmp_path: Path, good: Path, quick: str
) -> None:
    result = warpwright("report", run, "--format", "png")
    assert result.exit_code == 0, result.output
    picture = store.kernels.folder(run) / "report.png"
    assert result.stdout == f"{picture}\n"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert len(picture.read_bytes()) < 600_000
    other = search(store, tmp_path / "twice", 4)
    assert warpwright("report", run, other, "--output", tmp_path / "two.png").exit_code == 0
    nothing = warpwright("report", own_run(home, ""), "--format", "png")
    assert (nothing.exit_code, "there is nothing to draw" in nothing.stderr) == (2, True)
    refused = warpwright("check", good, "--task", quick, "--report", tmp_path / "a.png")
    assert (refused.exit_code, refused.stdout) == (2, "")


@pytest.mark.parametrize("where", ["-", "nosuch/page.html", "."])
def test_where_no_report_can_be_written_nothing_is_judged(
    warpwright: Warpwright, good: Path, quick: str, where: str
) -> None:
    result = warpwright("check", good, "--task", quick, "--report", where)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "name one in a folder that is there" in result.stderr
