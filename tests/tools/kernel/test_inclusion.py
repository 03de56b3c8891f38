"""A kernel file in several files, read as one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent.cli.judging.kernels import read_kernel
from tools.kernel.file import KernelFileError, parse
from tools.kernel.inclusion import with_included
from tools.kernel.sections import assembled, sections_of
from tools.tasks import folder as task_folder

MAIN = """\
#include <cuda_fp16.h>
#include "parts.cuh"
#include "more.h"
//@ launch k<<<1, 1>>>(x, y, n)
__global__ void k(const float* x, float* y, int n) { y[0] = twice(x[0]); }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kernel.cu").write_text(MAIN)
    (tmp_path / "parts.cuh").write_text(
        '#pragma once\n#include "more.h"\n__device__ float twice(float v) { return TWO * v; }\n'
    )
    (tmp_path / "more.h").write_text("#define TWO 2.0f\n")
    return tmp_path


def test_each_file_stands_once_behind_the_kernel_file_whose_lines_stay_what_they_are(folder: Path) -> None:
    text = read_kernel(str(folder / "kernel.cu"))
    assert text.startswith(MAIN)
    assert [one.name for one in sections_of(text)] == ["parts.cuh", "more.h"]
    assert text.count("#define TWO") == 1
    assert with_included(text, [folder]) == text, "what was put together is whole"
    parsed = parse(text)
    assert parsed.includes == ("cuda_fp16.h",)
    assert parsed.launches[0].line == 4


def test_the_compiler_takes_each_file_where_it_is_first_included_with_its_numbers(folder: Path) -> None:
    (folder / "parts.cuh").write_text('#pragma once\n#include "more.h"\n#include "more.h"\nint parts;\n')
    lines = assembled(read_kernel(str(folder / "kernel.cu")), "k.cu").split("\n")
    number, code = 0, list[tuple[int, str]]()
    for line in lines:
        number = int(line.split()[1]) - 1 if line.startswith("#line") else number + 1
        if line and not line.startswith("#"):
            code.append((number, line.split()[0]))
    assert code == [(10, "int"), (4, "//@"), (5, "__global__")]
    assert lines.index("#define TWO 2.0f") < lines.index("int parts;")
    assert lines.count("#define TWO 2.0f") == 1


def test_what_is_wrong_in_an_included_file_names_that_file_and_its_line(folder: Path) -> None:
    (folder / "more.h").write_text("#define TWO 2.0f\n\n//@ nonsense\n")
    with pytest.raises(KernelFileError, match=r"^more\.h:3: expected"):
        parse(read_kernel(str(folder / "kernel.cu")))


@pytest.mark.parametrize("name", ["../secret.h", "/etc/passwd.h", "sub/x.h", "missing.cuh", ".hidden.h"])
def test_only_files_of_the_own_folder_are_put_in(name: str, folder: Path) -> None:
    (folder.parent / "secret.h").write_text("secret")
    (folder / ".hidden.h").write_text("secret")
    text = f'#include "{name}"\n{MAIN}'
    put_in = with_included(text, [folder])
    assert put_in.startswith(text)
    assert "secret" not in put_in.replace("secret.h", "")
    with pytest.raises(KernelFileError, match="allowed headers"):
        parse(put_in)


def test_files_that_include_each_other_end(folder: Path) -> None:
    (folder / "more.h").write_text('#include "parts.cuh"\n#define TWO 2.0f\n')
    assert assembled(with_included(MAIN, [folder]), "k.cu").count("twice(float v)") == 1


def test_what_is_too_long_or_no_text_is_said(folder: Path) -> None:
    (folder / "more.h").write_bytes(b"\xff\xfe")
    with pytest.raises(KernelFileError, match=r"more\.h"):
        with_included(MAIN, [folder])
    (folder / "more.h").write_text("//" + "x" * (300 << 10))
    with pytest.raises(KernelFileError, match="KiB"):
        with_included(MAIN, [folder])


def test_a_tasks_baseline_may_have_files_of_its_own_and_they_are_part_of_its_sha(tmp_path: Path) -> None:
    folder = shutil.copytree(task_folder.find("relu").folder, tmp_path / "relu")
    text = (folder / "baseline.cu").read_text()
    (folder / "baseline.cu").write_text(f'#include "limits.cuh"\n{text}')
    (folder / "limits.cuh").write_text("#define LEAST 0\n")
    first = task_folder.load(folder)
    assert "#define LEAST 0" in first.baseline
    (folder / "limits.cuh").write_text("#define LEAST 1\n")
    assert task_folder.load(folder).sha != first.sha
