"""Files and folders in KernelBench's format, before anything of them runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.importing.kernelbench import problems, read_problem, task_name
from sandbox.errors import UsageError


def test_problems_of_a_folder_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("10_b.py", "2_a.py", "__init__.py", "notes.txt"):
        (tmp_path / name).write_text("")
    assert [one.name for one in problems(tmp_path)] == ["2_a.py", "10_b.py"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("19_ReLU.py", "relu_19"),
        ("1_Square_matrix_multiplication_.py", "square_matrix_multiplication_1"),
        ("75_conv_transposed_2D_asymmetric_input_asymmetric_kernel_strided__grouped____padded____dilated__.py",
         "conv_transposed_2d_asymmetric_input_asymmetri_75"),
        ("7.py", "problem_7"),
        ("row softmax.py", "row_softmax"),
    ],
)  # fmt: skip
def test_tasks_are_called_after_their_files(file: str, name: str) -> None:
    assert task_name(Path(file)) == name
    assert len(name) <= 48


def test_what_is_no_problem_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a file FILE\.py, or a folder of them"):
        problems(tmp_path / "missing")
    with pytest.raises(UsageError, match="found none"):
        problems(tmp_path)
    (tmp_path / "bytes.py").write_bytes(b"x = 1\n\xff")
    with pytest.raises(UsageError, match=r"bytes\.py:2: expected UTF-8 text, found byte 0xff"):
        read_problem(tmp_path / "bytes.py")
