"""What tables look like where no terminal shows them."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from typer.testing import CliRunner

from agent.cli.app import app
from agent.cli.output import console, table


def test_no_line_of_a_table_in_a_pipe_ends_in_spaces():
    listed = CliRunner().invoke(app, ["tasks"], prog_name="warpwright").stdout
    assert len(listed.splitlines()) > 20
    assert [line for line in listed.splitlines() if line.endswith(" ")] == []


def in_a_terminal(width: int) -> str:
    rows = table("!run", "device", ">estimated us")
    rows.add_row("softmax-20261130-bb10", "sim:rtx3090ti", "38.2")
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=True, color_system=None).print(rows)
    return out.getvalue()


def test_a_narrow_terminal_cuts_no_word_of_a_table():
    assert len(in_a_terminal(80).splitlines()) == 2
    assert "sim:rtx3090ti" in in_a_terminal(48), "heads stand in two lines first"
    assert "…" not in in_a_terminal(38)


def test_what_reaches_standard_error_is_not_filled_either(capsys: pytest.CaptureFixture[str]):
    rows = table("name", "what it is")
    rows.add_row("a", "longer than the next one")
    rows.add_row("b", "short")
    console(stderr=True).print(rows)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "name  what it is\na     longer than the next one\nb     short\n"
