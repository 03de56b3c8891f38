"""`init`: a folder that checks at once, or that says what is missing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from tests.agent.search_fakes import write_task
from tools.tasks import folder as task_folder
from tools.tasks.captured import pack

Warpwright = Callable[..., Result]
KERNEL = """\
__global__ void twice(const float* x, float* y, int n) {
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i < n) y[i] = 2 * x[i];
}
int main() { twice<<<1, 256>>>(nullptr, nullptr, 0); }
"""


def test_a_copy_has_the_name_of_its_folder_and_checks_at_once(
    warpwright: Warpwright, tmp_path: Path, quick: str
) -> None:
    made = warpwright("init", tmp_path / "My-Add", "--like", quick)
    assert made.exit_code == 0, made.output
    assert "needs a model" not in made.stdout
    assert task_folder.load(tmp_path / "My-Add").name == "my_add"
    assert warpwright("check", tmp_path / "My-Add").exit_code == 0


def test_a_copy_takes_captured_data_along(warpwright: Warpwright, tmp_path: Path) -> None:
    data = pack({"x": np.arange(5, dtype=np.float32)})
    digest = hashlib.sha256(data).hexdigest()
    case = f'\n[[captured]]\ndims = {{ n = 5 }}\nfile = "x.npz"\nsha256 = "{digest}"\n'
    (write_task(tmp_path / "one", case) / "x.npz").write_bytes(data)
    made = warpwright("init", tmp_path / "two", "--like", tmp_path / "one")
    assert made.exit_code == 0, made.output
    assert (tmp_path / "two/x.npz").read_bytes() == data
    assert task_folder.load(tmp_path / "two").captured == task_folder.load(tmp_path / "one").captured


def test_a_task_from_a_plain_kernel_checks_at_once(warpwright: Warpwright, tmp_path: Path) -> None:
    (tmp_path / "twice.cu").write_text(KERNEL)
    made = warpwright("init", tmp_path / "twice", "--from", tmp_path / "twice.cu")
    assert made.exit_code == 0, made.output
    assert "x in float32[n]" in made.stdout
    assert "host code was left out: main" in made.stdout
    assert "needs a model" not in made.stdout
    passed = warpwright("check", tmp_path / "twice")
    assert passed.exit_code == 0, passed.output


def test_a_kernel_that_no_composer_could_write_says_so(warpwright: Warpwright, tmp_path: Path) -> None:
    (tmp_path / "back.cu").write_text(KERNEL.replace("y[i]", "y[n - 1 - i]"))
    made = warpwright("init", tmp_path / "back", "--from", tmp_path / "back.cu")
    assert "a search needs a model as it is: the composer cannot write a kernel for back" in made.stdout


def test_a_kernel_whose_threads_work_together_checks_once_its_reference_is_written(
    warpwright: Warpwright, tmp_path: Path
) -> None:
    shared = KERNEL.replace("int i =", "__shared__ float kept[256];\n    int i =")
    (tmp_path / "twice.cu").write_text(shared)
    made = warpwright("init", tmp_path / "twice", "--from", tmp_path / "twice.cu")
    assert made.exit_code == 0, made.output
    assert "reference.py is to be written" in made.stdout
    assert "`__shared__`" in made.stdout
    missing = warpwright("check", tmp_path / "twice")
    assert missing.exit_code == 1
    assert "say here what y must hold" in missing.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--like", "softmax", "--from", "x.cu"], "not both"), (["--like", "sofmax"], "Did you mean softmax")],
)
def test_mistakes_make_no_folder(
    options: list[str], said: str, warpwright: Warpwright, tmp_path: Path
) -> None:
    result = warpwright("init", tmp_path / "new", *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "new").exists()


def test_nothing_that_is_there_is_changed(warpwright: Warpwright, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/notes.txt").write_text("mine")
    assert warpwright("init", tmp_path / "there").exit_code == 2
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["notes.txt"]
