from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.compiler.cache import CompileCache
from sandbox.compiler.service import Compiler
from sandbox.isolation.base import Isolation
from sandbox.program import CompileRequest, CompileResult, Diagnostic, KernelResources, Program

PROGRAM = Program(
    "k" * 64,
    "sm_90",
    ".version 9.0",
    b"\x7fELF\0",
    {"a": "b"},
    (KernelResources("a", "b", 1, 2, 3, 4, 5),),
    6,
)
RESULT = CompileResult(PROGRAM, (Diagnostic("warning", "w", 3),), "log", compiler="NVRTC 13.0")


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_an_entry_comes_back_marked_as_cached(tmp_path: Path) -> None:
    cache = CompileCache(tmp_path / "new")
    assert cache.get("ab") is None
    cache.put("ab", RESULT)
    found = cache.get("ab")
    assert found is not None
    assert found.cached
    assert found.program == PROGRAM
    assert found.diagnostics == RESULT.diagnostics
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize("position", [0, 30, 64, 70, 120, -1])
def test_a_damaged_entry_is_a_miss(tmp_path: Path, position: int) -> None:
    cache = CompileCache(tmp_path)
    cache.put("ab", RESULT)
    (path,) = entries(tmp_path)
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    assert cache.get("ab") is None


@pytest.mark.parametrize("length", [0, 10, 65, 100, 500])
def test_a_truncated_entry_is_a_miss(tmp_path: Path, length: int) -> None:
    cache = CompileCache(tmp_path)
    cache.put("ab", RESULT)
    (path,) = entries(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    assert cache.get("ab") is None


def test_a_folder_that_cannot_be_written_only_costs_the_saving(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = CompileCache(tmp_path / "file")
    cache.put("ab", RESULT)
    assert cache.get("ab") is None


def test_the_entries_that_were_not_used_for_longest_go_first(tmp_path: Path) -> None:
    cache = CompileCache(tmp_path, max_bytes=2_000)
    for index in range(4):
        cache.put(f"{index:02}", RESULT)
    for index, path in enumerate(sorted(entries(tmp_path))):
        os.utime(path, (index, index))
    cache.prune()
    assert sum(path.stat().st_size for path in entries(tmp_path)) <= 2_000
    assert cache.get("00") is None
    assert cache.get("03") is not None


NEVER_DONE = """
template <int A, long B> struct Tree {
    static const int value = Tree<A + 1, 2 * B>::value + Tree<A + 1, 2 * B + 1>::value;
};
template <long B> struct Tree<60, B> { static const int value = 1; };
__global__ void k(int* out) { *out = Tree<0, 0>::value; }
"""


async def test_a_program_and_an_error_are_found_again_and_a_limit_is_not(
    bubblewrapped: Isolation, tmp_path: Path
) -> None:
    good = CompileRequest("__global__ void k() {}", "sm_90", kernels=("k",))
    bad = CompileRequest("__global__ void k() { oops }", "sm_90", kernels=("k",))
    slow = CompileRequest(NEVER_DONE, "sm_90", kernels=("k",))
    for cached in (False, True):
        async with Compiler(bubblewrapped, cache=tmp_path) as compiler:
            first, second = await compiler.compile(good), await compiler.compile(bad)
            stopped = await compiler.compile(slow, cpu_s=0.1)
        assert (first.cached, second.cached, stopped.cached) == (cached, cached, False)
        assert first.program is not None
        assert second.diagnostics
        assert stopped.limit == "deadline"


async def test_every_part_of_a_request_is_part_of_its_key(bubblewrapped: Isolation) -> None:
    async with Compiler(bubblewrapped) as compiler:
        requests = [
            CompileRequest("a", "sm_90"), CompileRequest("b", "sm_90"), CompileRequest("a", "sm_80"),
            CompileRequest("a", "sm_90", (("A", "1"),)), CompileRequest("a", "sm_90", (("A", "2"),)),
            CompileRequest("a", "sm_90", kernels=("a",)), CompileRequest("a", "sm_90", kernels=("a", "b")),
            CompileRequest("a", "sm_90", file_name="other.cu"), CompileRequest("a", "sm_90", options=("--fmad=false",)),
        ]  # fmt: skip
        assert len({compiler.key(request) for request in requests}) == len(requests)
        assert compiler.key(requests[0]) == compiler.key(CompileRequest("a", "sm_90"))


def test_every_process_looks_under_the_same_key() -> None:
    code = (
        "from sandbox.compiler.service import Compiler\n"
        "from sandbox.isolation.process import ProcessIsolation\n"
        "from sandbox.program import CompileRequest\n"
        "print(Compiler(ProcessIsolation()).key(CompileRequest('a', 'sm_90')))"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(keys) == 1
