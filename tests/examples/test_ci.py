"""The examples for CI do what they say: their own words are run, in a repository with one wrong kernel."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.agent.quick_task import quick_task

ROOT = Path(__file__).parents[2]
CI = ROOT / "examples/ci"
WRONG = "//@ launch add<<<1, 1>>>(out, n)\n__global__ void add(float* out, int n) { out[n] = 0; }\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    quick_task(tmp_path / "kernels")
    return tmp_path


def environment(home: Path, **more: str) -> dict[str, str]:
    """Of a runner where warpwright is installed: the command is this checkout's."""
    commands = home / "bin"
    commands.mkdir(parents=True, exist_ok=True)
    command = commands / "warpwright"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m warpwright "$@"\n')
    command.chmod(0o755)
    kept = {name: os.environ[name] for name in ("HOME",) if name in os.environ}
    path = f"{commands}:{os.environ['PATH']}"
    return {**kept, **more, "PATH": path, "PYTHONPATH": str(ROOT), "WARPWRIGHT_HOME": str(home)}


def run(words: list[str], repository: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=repository,
        env=environment(repository / "home", **more),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def inputs(action: dict[str, Any], **given: str) -> dict[str, str]:
    """The variables of the last step, as GitHub fills them from inputs."""
    step = action["runs"]["steps"][-1]
    named = {key: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", r"\1", text) for key, text in step["env"].items()}
    return {key: given.get(name, action["inputs"][name]["default"]) for key, name in named.items()}


def test_the_action_judges_a_repository_and_shows_what_is_wrong_on_its_line(repository: Path) -> None:
    action = yaml.safe_load((CI / "action.yml").read_text())
    install, judge = action["runs"]["steps"]
    script = f"set -eo pipefail\n{install['run']}\n{judge['run']}"
    passed = run(["bash", "-c", script], repository, **inputs(action, folders="kernels"))
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert passed.stdout.strip() == "1 of 1 kernels are right"
    (wrong,) = (path.parent / "wrong.cu" for path in repository.glob("kernels/*/task.toml"))
    wrong.write_text(WRONG)
    failed = run(["bash", "-c", script], repository, **inputs(action, folders="kernels"))
    assert failed.returncode == 1
    assert re.search(r"^::error file=kernels/\w+/wrong\.cu,line=2,", failed.stdout, flags=re.M)


def test_the_pre_commit_hook_judges_the_kernels_of_a_commit(repository: Path) -> None:
    (hook,) = yaml.safe_load((CI / "pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    files = sorted(str(path.relative_to(repository)) for path in repository.rglob("*"))
    chosen = [name for name in files if re.search(hook["files"], name)]
    assert [Path(name).name for name in chosen] == ["baseline.cu"]
    assert hook["language"] == "system"
    found = run([*shlex.split(hook["entry"]), *chosen], repository)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "pass" in found.stdout
