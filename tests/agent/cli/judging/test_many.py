"""`check` of a repository's kernels, as CI runs it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import Result

from agent.cli.judging.kernel_paths import named_kernels
from agent.cli.judging.many import Judged, status_of
from agent.cli.judging.regressions import compared, read_results, read_share
from agent.cli.judging.verdict_formats import github, junit, sarif
from sandbox.device import Fault
from sandbox.errors import UsageError
from sandbox.verdict import Provenance, Verdict
from tools.reports import CaseReport, CheckReport, ProfileReport, TestReport

Warpwright = Callable[..., Result]

FAULT = Fault(Verdict.MEMORY_FAULT, "past the end", line=4)
CASE = CaseReport({"n": 1}, 7, Verdict.MEMORY_FAULT, "past the end", fault=FAULT)
PROFILE = ProfileReport(Verdict.PASS, "", 10.0, Provenance.MEASURED, 2.0)
RIGHT = CheckReport(Verdict.PASS, "relu", "sim:h200", Provenance.COUNTED, "right", profile=PROFILE)
FAULTY = replace(
    RIGHT,
    verdict=Verdict.MEMORY_FAULT,
    message="past: the end, 100%\nof x",
    test=TestReport(Verdict.MEMORY_FAULT, "", (CASE,)),
)
JUDGED = [
    Judged(Path("k/right.cu"), "relu", RIGHT),
    Judged(Path("k/wrong.cu"), "relu", FAULTY),
    Judged(Path("k/new.cu"), "scan", replace(RIGHT, verdict=Verdict.UNSUPPORTED, message="wgmma")),
    Judged(Path("k/broken.cu"), "scan", None, "task.toml:3: expected a text"),
]


@pytest.fixture
def repository(tmp_path: Path, quick: str) -> Path:
    folder = tmp_path / "repo" / "add"
    shutil.copytree(quick, folder)
    return folder.parent


def test_a_folder_means_every_kernel_beside_a_task_and_a_file_the_task_it_lies_in(repository: Path) -> None:
    (repository / ".hidden").mkdir()
    shutil.copytree(repository / "add", repository / ".hidden/add")
    (repository / "add/sub").mkdir()
    deep = repository / "add/sub/fast.cu"
    deep.write_text("")
    assert [one.path.name for one in named_kernels([str(repository)], None)] == ["baseline.cu"]
    (one,) = named_kernels([str(deep)], None)
    assert Path(one.task) == repository / "add"
    assert named_kernels([str(deep)], "relu")[0].task == "relu"
    assert len(named_kernels([str(repository), str(repository / "add/baseline.cu")], None)) == 1


def test_what_is_for_no_task_is_said_with_what_to_do(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "x.cu"):
        with pytest.raises(UsageError, match="--task"):
            named_kernels([str(path)], None)


def test_a_repository_is_judged_and_its_results_are_compared_with(
    warpwright: Warpwright, repository: Path
) -> None:
    kernel = repository / "add/twice.cu"
    kernel.write_text((repository / "add/baseline.cu").read_text())
    listed = warpwright("check", repository)
    assert listed.exit_code == 0, listed.output
    assert "2 of 2 kernels are right" in listed.stdout
    assert "kernel 1 of 2" in listed.stderr
    kept = repository / "results.json"
    printed = warpwright("check", repository, "--json").stdout
    kept.write_text(printed)
    assert [one["verdict"] for one in json.loads(printed)["results"]] == ["pass", "pass"]
    assert warpwright("check", repository, "--against", kept).exit_code == 0
    faster = json.loads(printed)
    for one in faster["results"]:
        one["latency_us"] /= 3
    kept.write_text(json.dumps(faster))
    slower = warpwright("check", repository, "--against", kept, "--format", "github")
    assert slower.exit_code == 1
    assert slower.stdout.count("::error file=") == 2
    assert "200%25 slower than before" in slower.stdout
    alone = json.loads(warpwright("check", kernel, "--against", kept, "--json").stdout)
    assert [one["slower"] for one in alone["results"]] == [True]
    assert warpwright("check", repository, "--against", repository / "add/task.toml").exit_code == 2
    assert "--against names" in warpwright("check", repository, "--slower-than", "5%").stderr


def test_a_wrong_kernel_is_shown_on_its_line_in_every_format() -> None:
    root = ElementTree.fromstring(junit(JUDGED))
    suites = {one.get("name"): one.attrib for one in root}
    assert (suites["relu"]["failures"], suites["scan"]["failures"], suites["scan"]["skipped"]) == (
        "1",
        "1",
        "1",
    )
    cases = {one.get("name"): one for one in root.iter("testcase")}
    assert cases["k/wrong.cu"].get("line") == "4"
    failure = cases["k/wrong.cu"].find("failure")
    assert failure is not None
    assert failure.get("type") == "memory_fault"
    log = json.loads(sarif(JUDGED))
    results: list[dict[str, Any]] = log["runs"][0]["results"]
    assert [(one["ruleId"], one["level"]) for one in results] == [
        ("memory_fault", "error"),
        ("unsupported", "warning"),
        ("rejected", "error"),
    ]
    where = results[0]["locations"][0]["physicalLocation"]
    assert (where["artifactLocation"]["uri"], where["region"]["startLine"]) == ("k/wrong.cu", 4)
    first, *_, last = github(JUDGED).splitlines()
    assert first == (
        "::error file=k/wrong.cu,line=4,title=relu%3A memory_fault::past: the end, 100%25%0Aof x"
    )
    assert last == "1 of 4 kernels are right"


def test_a_failure_in_an_included_file_is_shown_there() -> None:
    text = (
        '#include "part.cuh"\n//@ launch k<<<1, 1>>>(x)\n//@ file part.cuh\n__global__ void k(float* x) {}\n'
    )
    one = Judged(Path("k/wrong.cu"), "relu", FAULTY, text=text)
    assert one.place == (Path("k/part.cuh"), 1)
    assert "file=k/part.cuh,line=1," in github([one])


def test_the_worst_verdict_is_the_status() -> None:
    assert status_of(JUDGED) == 1
    assert status_of([JUDGED[0], JUDGED[2]]) == 3
    assert status_of(JUDGED[:1]) == 0


@pytest.mark.parametrize(
    ("now", "provenance", "error", "slower"),
    [
        (10.4, Provenance.MEASURED, None, False),
        (10.6, Provenance.MEASURED, None, True),
        (10.6, Provenance.ESTIMATED, 0.14, False),
        (12.0, Provenance.ESTIMATED, 0.14, True),
        (5.0, Provenance.MEASURED, None, False),
    ],
)
def test_a_kernel_is_slower_only_beyond_the_share_and_beyond_its_error(
    now: float, provenance: Provenance, error: float | None, slower: bool
) -> None:
    profile = replace(PROFILE, latency_us=now, provenance=provenance, error=error)
    before = {"k/right.cu on sim:h200": {"latency_us": 10.0, "provenance": str(provenance)}}
    (found,) = compared([Judged(Path("k/right.cu"), "relu", replace(RIGHT, profile=profile))], before, 0.05)
    assert bool(found.slower) is slower
    assert found.ok is not slower


def test_a_measurement_is_never_compared_with_an_estimate() -> None:
    before = {"k/right.cu on sim:h200": {"latency_us": 1.0, "provenance": "estimated"}}
    assert compared(JUDGED[:1], before, 0.05) == JUDGED[:1]


def test_a_share_is_read_or_refused(tmp_path: Path) -> None:
    assert read_share("5%") == read_share("0.05") == 0.05
    for text in ("", "-5%", "five", "0"):
        with pytest.raises(UsageError, match=r"5% or 0\.05"):
            read_share(text)
    with pytest.raises(UsageError, match=r"nothing\.json cannot be read: No such file or directory$"):
        read_results(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    "kept",
    [
        *(
            "",
            "[",
            "[" * 100_000,
            "[]",
            "{}",
            '{"results": 7}',
            '{"results": [7]}',
            '{"results": [{"kernel": "k"}]}',
        ),
        '{"results": [{"kernel": "k", "report": {"device": "d"}, "latency_us": "fast"}]}',
        '{"results": [{"kernel": "k", "report": [], "latency_us": {}}, {"report": {"device": "d"}}]}',
    ],
    ids=range(10),
)
def test_what_are_no_results_is_refused_in_a_sentence(kept: str, tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text(kept)
    with pytest.raises(UsageError, match=r"--against: .*kept\.json (is no JSON|holds no results)"):
        read_results(tmp_path / "kept.json")


def test_a_pass_at_some_shapes_says_so_and_is_none_where_all_were_asked_for() -> None:
    short = Judged(Path("k/large.cu"), "relu", replace(RIGHT, not_judged=({"n": 9},)))
    strict = replace(short, strict=True)
    assert (status_of([short]), status_of([strict]), status_of([strict, JUDGED[1]])) == (0, 3, 1)
    assert short.short == " (not judged at n=9)"
    assert "title=relu%3A not_judged::no plain pass (not judged at n=9)" in github([strict])
    assert '<skipped message="no plain pass (not judged at n=9)' in junit([strict])
