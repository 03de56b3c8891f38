"""The entry of every process: our packages are found whatever a project calls its own."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

import warpwright
from warpwright._entry import OWN

ENTRY = str(Path(warpwright.__file__).with_name("__main__.py"))


@pytest.fixture
def impostors(tmp_path: Path) -> Path:
    """A project with packages and modules of our names that end whoever imports them."""
    project = tmp_path / "project"
    for name in OWN - {"warpwright", "sandbox"}:
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("raise SystemExit('not this one')\n")
    (project / "sandbox.py").write_text("raise SystemExit('not this one')\n")
    return project


def run(words: list[str], project: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(project), "WARPWRIGHT_HOME": str(tmp_path / "home")}
    return subprocess.run(
        words, cwd=project, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("arguments", [["tasks"], ["doctor"], ["runs"]])
def test_the_command_is_not_led_astray_by_packages_of_our_names(
    arguments: list[str], impostors: Path, tmp_path: Path
) -> None:
    finished = run([sys.executable, ENTRY, *arguments], impostors, tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "not this one" not in finished.stdout + finished.stderr


def test_workers_compile_and_run_a_kernel_beside_packages_of_our_names(
    impostors: Path, tmp_path: Path
) -> None:
    kernel = Path(warpwright.__file__).parents[1] / "examples/tasks/relu/baseline.cu"
    finished = run([sys.executable, ENTRY, "profile", str(kernel), "--task", "relu"],
                   impostors, tmp_path)  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_nothing_but_our_own_names_is_found_differently(impostors: Path, tmp_path: Path) -> None:
    (impostors / "typer.py").write_text("raise SystemExit('a typer of the project')\n")
    finished = run([sys.executable, ENTRY, "runs"], impostors, tmp_path)
    assert "a typer of the project" in finished.stderr


def test_the_version_is_said_without_the_command_line(impostors: Path, tmp_path: Path) -> None:
    (impostors / "typer.py").write_text("raise SystemExit('a typer of the project')\n")
    finished = run([sys.executable, ENTRY, "--version"], impostors, tmp_path)
    assert (finished.returncode, finished.stdout) == (0, f"warpwright {warpwright.__version__}\n")


def test_ctrl_c_before_a_command_began_is_one_line(impostors: Path, tmp_path: Path) -> None:
    (impostors / "typer.py").write_text("raise KeyboardInterrupt\n")
    finished = run([sys.executable, ENTRY, "runs"], impostors, tmp_path)
    assert (finished.returncode, finished.stderr) == (130, "warpwright: interrupted\n")


def test_the_module_says_the_version_that_is_installed() -> None:
    assert warpwright.__version__ == importlib.metadata.version("warpwright")
