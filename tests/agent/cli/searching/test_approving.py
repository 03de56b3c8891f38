"""`--approve`: rounds are shown, changed and agreed to before a terminal, or by lines on standard input."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import Result

from agent.candidates import CandidatePlan
from agent.cli.searching.approving import Approval, read_back, written
from agent.search.planned import PlannedRound
from sandbox.errors import UsageError

Warpwright = Callable[..., Result]
BASE, FIRST = "a" * 64, "b" * 64
PLANS = (
    CandidatePlan(FIRST, ("vectorized_loads", "loop_unrolling"), 'it "waits"', origin="node 1/1"),
    CandidatePlan(BASE, (), "to learn", FIRST, "ablation", ("read_only_cache",)),
)
ROUND = PlannedRound("run-1", 2, PLANS, {"baseline": BASE, "1/1": FIRST})


@pytest.fixture
def typed():
    """Answers typed on a pipe: returns what asks, given the lines."""
    ends: list[int] = []

    def asking(text: str) -> Approval:
        read, write = os.pipe()
        os.write(write, text.encode())
        os.close(write)
        ends.append(read)
        return Approval(nullcontext, read)

    yield asking
    for end in ends:
        os.close(end)


def editor(folder: Path, script: str) -> str:
    """A program that changes the file it is given by sed."""
    program = folder / "editor"
    program.write_text(f"#!/bin/sh\nsed -i '{script}' \"$1\"\n")
    program.chmod(0o755)
    return str(program)


def test_plans_that_are_left_as_they_are_come_back_as_they_were():
    assert read_back(ROUND, PLANS, written(ROUND, PLANS)) == PLANS


def test_a_plan_may_be_changed_and_another_left_out():
    text = '[[plan]]\nfeatures = ["row_packing"]\nparent = "1/1"\nwhy = "mine"\n'
    assert read_back(ROUND, PLANS, text) == (CandidatePlan(FIRST, ("row_packing",), "mine"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[plan]\n", "Expected"),
        (
            '[[plan]]\nfeatures = ["a"]\nparent = "9/9"\n',
            "no kernel '9/9' to build on; there are baseline, 1/1",
        ),
        ('[[plan]]\nfeature = ["a"]\n', "feature"),
        ("", "there may be 1 to 2"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_why(text: str, said: str):
    with pytest.raises(UsageError, match=said):
        read_back(ROUND, PLANS, text)


async def test_a_round_is_shown_by_the_names_of_its_kernels(typed, capsys: pytest.CaptureFixture[str]):
    assert await typed("\n")(ROUND) == PLANS
    shown = capsys.readouterr().err
    assert '1. vectorized_loads, loop_unrolling, on 1/1: it "waits"' in shown
    assert "2. ablation, without read_only_cache, on baseline + 1/1: to learn" in shown


async def test_an_editor_changes_plans_and_what_it_breaks_stays_as_it_was(
    typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor(tmp_path, "s/loop_unrolling/row_packing/"))
    found = await typed("edit\nyes\n")(ROUND)
    assert found == (replace(PLANS[0], features=("vectorized_loads", "row_packing"), origin=""), PLANS[1])
    monkeypatch.setenv("EDITOR", editor(tmp_path, "s/features = /features /"))
    assert await typed("edit\nyes\n")(ROUND) == PLANS
    assert "the plans stay as they were" in capsys.readouterr().err


@pytest.mark.parametrize("typed_text", ["stop\n", "what?\nno\n", ""])
async def test_who_stops_or_goes_away_is_told_how_to_go_on(
    typed, typed_text: str, capsys: pytest.CaptureFixture[str]
):
    assert await typed(typed_text)(ROUND) is None
    assert "stopped before round 2; go on with: warpwright resume run-1" in capsys.readouterr().err
