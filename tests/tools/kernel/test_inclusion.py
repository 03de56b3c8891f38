"""A kernel file in several files, read as one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent.cli.kernels import read_kernel
from tools.kernel.file import KernelFileError, parse
from tools.kernel.inclusion import with_included
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


def test_each_file_is_put_in_once_where_it_is_first_included(folder: Path) -> None:
    text = read_kernel(str(folder / "kernel.cu"))
    assert text.count("#define TWO") == 1
    assert text.index("#define TWO") < text.index("twice(float v)") < text.index("//@ launch")
    assert "// more.h stands above" in text
    assert parse(text).includes == ("cuda_fp16.h",)


@pytest.mark.parametrize("name", ["../secret.h", "/etc/passwd.h", "sub/x.h", "missing.cuh", ".hidden.h"])
def test_only_files_of_the_own_folder_are_put_in(name: str, folder: Path) -> None:
    (folder.parent / "secret.h").write_text("secret")
    (folder / ".hidden.h").write_text("secret")
    text = f'#include "{name}"\n{MAIN}'
    put_in = with_included(text, [folder])
    assert put_in.startswith(f'#include "{name}"\n')
    assert "secret" not in put_in.replace("secret.h", "")
    with pytest.raises(KernelFileError, match="allowed headers"):
        parse(put_in)


def test_files_that_include_each_other_end(folder: Path) -> None:
    (folder / "more.h").write_text('#include "parts.cuh"\n#define TWO 2.0f\n')
    assert with_included(MAIN, [folder]).count("twice(float v)") == 1


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
