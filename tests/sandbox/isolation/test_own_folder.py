"""A program of the user's own, kept to a folder."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest

from sandbox.isolation.own_folder import own_folder

CONFINED = own_folder()


@pytest.mark.skipif(CONFINED.program is None, reason=f"no bubblewrap: {CONFINED.reason}")
def test_a_program_that_lies_in_tmp_runs_and_sees_nothing_else_there(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as beside:
        program = Path(beside) / "coder"
        program.write_text(f"#!/bin/sh\nls {beside}\n")
        program.chmod(0o755)
        (Path(beside) / "secret").touch()
        command = CONFINED.command([str(program)], tmp_path, (), ())
        finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout) == (0, "coder\n"), finished.stderr
