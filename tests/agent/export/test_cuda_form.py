"""The launcher in C++: built by the machine's compiler, run on the driver that needs no GPU."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.export.cuda_form import cuda_files
from tests.agent.export.exporting import example, package
from tests.sandbox.cuda import standing_in

CXX = shutil.which("g++") or shutil.which("c++")
needs_compiler = pytest.mark.skipif(CXX is None, reason="needs a C++ compiler")
STRICT = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-O0")


def write(files: dict[str, bytes], folder: Path) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def build(folder: Path, *sources: str, libraries: tuple[str, ...] = ()) -> Path:
    assert CXX is not None
    subprocess.run(
        [CXX, *STRICT, "-isystem", str(standing_in.include()), "-Iinclude", "-Isrc", "-o", "program", *sources, *libraries],
        cwd=folder, check=True,
    )  # fmt: skip
    return folder / "program"


def build_as_told(folder: Path, library: Path) -> Path:
    """Build the example as CMakeLists.txt says; by the compiler alone where there is no CMake or no CUDA toolkit."""
    if shutil.which("cmake") is None or shutil.which("nvcc") is None:
        sources = ("example.cpp", "src/plan.cpp", "src/images.cpp")
        return build(folder, *sources, libraries=("-pedantic", str(library)))
    flags = "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror -O0"
    for command in (["-B", "build", f"-DCUDA_cuda_driver_LIBRARY={library}", flags], ["--build", "build"]):
        made = subprocess.run(["cmake", *command], cwd=folder, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
    return folder / "build/example"


@needs_compiler
def test_the_example_runs_on_a_driver_and_prints_what_comes_out(tmp_path: Path, driver: Path) -> None:
    task = example("vector_add")
    write(cuda_files(package(task, task.baseline)), tmp_path)
    program = build_as_told(tmp_path, driver / "libcuda.so.1")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(driver)}
    ran = subprocess.run([program], capture_output=True, text=True, check=False, env=environment)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("out: 2")
