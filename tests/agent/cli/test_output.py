"""What tables look like where no terminal shows them."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from agent.cli.app import app
from agent.cli.output import console, table


def test_no_line_of_a_table_in_a_pipe_ends_in_spaces():
    listed = CliRunner().invoke(app, ["tasks"], prog_name="warpwright").stdout
    assert len(listed.splitlines()) > 20
    assert [line for line in listed.splitlines() if line.endswith(" ")] == []


def test_what_reaches_standard_error_is_not_filled_either(capsys: pytest.CaptureFixture[str]):
    rows = table("name", "what it is")
    rows.add_row("a", "longer than the next one")
    rows.add_row("b", "short")
    console(stderr=True).print(rows)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "name  what it is\na     longer than the next one\nb     short\n"
