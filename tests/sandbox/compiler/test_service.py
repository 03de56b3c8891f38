from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.compiler.service import Compiler
from sandbox.errors import UsageError
from sandbox.isolation.base import Isolation
from sandbox.program import CompileRequest, CompileResult

pytestmark = [pytest.mark.usefixtures("compiler", "nothing_left"), pytest.mark.asyncio(loop_scope="module")]

SCALE = "__global__ void scale(float* x, int n) { if (threadIdx.x < n) x[threadIdx.x] *= FACTOR; }"
BOMB = """
template <int A, int B> struct Q { static constexpr int v = Q<A - 1, B * 2>::v + Q<A - 1, B * 2 + 1>::v; };
template <int B> struct Q<0, B> { static constexpr int v = B; };
__global__ void k(int* x) { x[0] = Q<26, 1>::v; }
"""


def request(source: str, *kernels: str, **more: object) -> CompileRequest:
    return dataclasses.replace(CompileRequest(source, "sm_90", kernels=kernels), **more)


def errors(result: CompileResult) -> list[str]:
    return [one.message for one in result.diagnostics if one.severity == "error"]


async def test_a_good_kernel_becomes_ptx_and_cubin_with_its_resources(isolation: Isolation) -> None:
    async with Compiler(isolation) as compiler:
        result = await compiler.compile(request(SCALE, "scale", defines=(("FACTOR", "2.0f"),)))
    assert result.program is not None, result
    program = result.program
    assert program.symbols == {"scale": "_Z5scalePfi"}
    assert ".target sm_90" in program.ptx
    assert '"kernel.cu"' in program.ptx
    assert program.cubin.startswith(b"\x7fELF")
    assert len(program.key) == 64
    (resources,) = program.resources
    assert resources.name == "scale"
    assert 0 < resources.registers < 64
    assert resources.spill_store_bytes == 0
    assert result.compiler == "NVRTC 13.0"


async def test_template_instances_and_c_kernels_are_found_by_their_launched_names(compiler: Compiler) -> None:
    source = """
template <int B, typename T>
__global__ void fill(T* x) { __shared__ T s[B]; s[threadIdx.x] = B; x[0] = s[1]; }
extern "C" __global__ void plain(float* x) { x[0] = 1; }
namespace inner { __global__ void deep(float* x) { x[0] = 2; } }
"""
    names = ("fill<256, float>", "fill< 32,double >", "plain", "inner::deep")
    result = await compiler.compile(request(source, *names))
    assert result.program is not None, result
    assert set(result.program.symbols) == set(names)
    assert result.program.symbols["plain"] == "plain"
    shared = {one.name: one.shared_bytes for one in result.program.resources}
    assert shared["fill<256, float>"] == 1024
    assert shared["fill< 32,double >"] == 256


async def test_a_syntax_error_is_reported_at_its_line(compiler: Compiler) -> None:
    result = await compiler.compile(request("\n\n__global__ void k() { int x = ; }\n", "k"))
    assert result.program is None
    assert result.limit is None
    assert (result.diagnostics[0].severity, result.diagnostics[0].line) == ("error", 3)
    assert "int x = ;" in result.log


async def test_a_launched_kernel_that_is_missing_is_named(compiler: Compiler) -> None:
    source = "__global__ void k() {}\n__device__ int helper() { return 1; }\n"
    for names in (("k", "nope"), ("nope", "k"), ("k", "nope<3, float>"), ("helper",)):
        missing = next(name for name in names if name != "k")
        result = await compiler.compile(request(source, *names))
        assert errors(result) == [f"the launched `{missing}` is no __global__ function of the file"]


async def test_a_kernel_that_shares_its_name_with_a_function_of_cuda_is_told_so(compiler: Compiler) -> None:
    result = await compiler.compile(request("__global__ void norm(float* x) { x[0] = 1; }\n", "norm"))
    (error,) = errors(result)
    assert "more than one function is called `norm`" in error
    assert "rename" in error


async def test_warnings_do_not_hide_a_program(compiler: Compiler) -> None:
    result = await compiler.compile(request("__global__ void k() {\n int unused = 1;\n}\n", "k"))
    assert result.program is not None
    assert [(one.severity, one.line) for one in result.diagnostics] == [("warning", 2)]


async def test_too_much_shared_memory_is_a_compile_error(compiler: Compiler) -> None:
    source = "__global__ void k(int* x) { __shared__ int s[100000]; s[threadIdx.x] = 1; x[0] = s[x[1]]; }"
    result = await compiler.compile(request(source, "k"))
    assert result.program is None
    assert any("too much shared data (400000 bytes, 49152 max)" in message for message in errors(result))


async def test_device_globals_are_counted_and_string_literals_are_not(compiler: Compiler) -> None:
    source = """
__device__ int counter[25];
__global__ void counts() { counter[threadIdx.x] += 1; printf("hello %d", counter[0]); }
__global__ void says() { printf("hello"); assert(threadIdx.x < 4); }
"""
    result = await compiler.compile(request(source, "counts"))
    assert result.program is not None
    assert result.program.globals_bytes == 100
    result = await compiler.compile(
        request(source.replace("counter[0]", "1").replace("counter[threadIdx.x] += 1", ""), "says")
    )
    assert result.program is not None
    assert result.program.globals_bytes == 0


async def test_a_template_bomb_ends_when_its_processor_time_is_spent(
    isolation: Isolation, worker_pids: Callable[[], list[int]]
) -> None:
    async with Compiler(isolation) as compiler:
        await compiler.warm()
        result = await compiler.compile(request(BOMB, "k"), cpu_s=0.5)
        assert (result.program, result.limit) == (None, "deadline")
        assert "after 0.5 s" in errors(result)[0]
        assert (await compiler.compile(request("__global__ void k() {}", "k"))).program is not None


async def test_a_compiler_that_runs_out_of_memory_is_a_limit(isolation: Isolation) -> None:
    source = "__device__ int big[1 << 28] = {1};\n__global__ void k(int* x) { x[0] = big[x[1]]; }"
    async with Compiler(isolation, memory_bytes=3 << 28) as compiler:
        result = await compiler.compile(request(source, "k"))
        assert (result.program, result.limit) == (None, "memory")
        assert (await compiler.compile(request("__global__ void k() {}", "k"))).program is not None


async def test_no_content_of_an_included_host_file_is_shown(isolation: Isolation, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("sesame opens_the_door;\n#error sesame\n")
    relative = "../" * 12 + str(secret).lstrip("/")
    sources = [
        f'#include "{secret}"\n',
        f'#include "{relative}"\n',
        f'#define PLACE "{secret}"\n#include PLACE\n',
        f'#line 1 "kernel.cu"\n#include "{secret}"\n',
        f'int x = \n#include "{secret}"\n;',
        f'#include "cuda_fp16.h"\n#include "{secret}"\n',
    ]
    async with Compiler(isolation) as compiler:
        for source in sources:
            result = await compiler.compile(request(source + "__global__ void k() {}\n", "k"))
            assert result.program is None
            assert errors(result)
            shown = result.log + "".join(one.message for one in result.diagnostics)
            assert "sesame" not in shown
            assert "opens_the_door" not in shown


async def test_files_of_the_system_are_not_there_for_the_compiler(compiler: Compiler) -> None:
    for path in ("/etc/passwd", "/proc/self/environ", "/dev/zero", "/dev/stdin"):
        result = await compiler.compile(request(f'#include "{path}"\n__global__ void k() {{}}', "k"), cpu_s=5)
        assert errors(result) == [f'cannot open source file "{path}"']
        probe = f'#if __has_include("{path}")\n#error there\n#endif\n__global__ void k() {{}}'
        assert (await compiler.compile(request(probe, "k"))).program is not None


async def test_no_path_of_this_machine_is_in_a_result(isolation: Isolation) -> None:
    source = "#include <cuda_fp16.h>\n__global__ void k(__half* x) { x[0] = hexp(x[1]); }\n"
    broken = '#include <cuda_fp16.h>\n__global__ void k(__half* x) { x[0] = hexp("a"); }\n'
    async with Compiler(isolation) as compiler:
        for text in (source, broken):
            result = await compiler.compile(request(text, "k"))
            shown = repr(dataclasses.replace(result, program=None)) + (
                result.program.ptx if result.program else ""
            )
            for path in (str(Path.home()), "site-packages", "/warpwright/", "/usr/"):
                assert path not in shown


async def test_ptx_is_the_same_under_every_isolation(bubblewrapped: Isolation) -> None:
    from sandbox.isolation.process import ProcessIsolation

    source = "#include <cuda_fp16.h>\n__global__ void k(__half* x) { x[0] = hexp(x[1]); }\n"
    found: list[str] = []
    for isolation in (bubblewrapped, ProcessIsolation()):
        async with Compiler(isolation) as compiler:
            result = await compiler.compile(request(source, "k"))
            assert result.program is not None
            found.append(result.program.ptx)
    assert found[0] == found[1]


async def test_a_flood_of_errors_is_bounded(compiler: Compiler) -> None:
    source = "".join(f'static_assert(false, "{"flood " * 50}{index}");\n' for index in range(5_000))
    result = await compiler.compile(request(source))
    assert result.program is None
    assert len(result.log.encode()) <= 64 << 10
    assert 0 < len(result.diagnostics) <= 50


@pytest.mark.parametrize(
    "source", ["\0", "__global__ void k() {}\n\0 hidden", "\udcff", "é\u2028", "/*", '"', "#", ""]
)
async def test_odd_text_is_compiled_or_refused_and_no_more(compiler: Compiler, source: str) -> None:
    result = await compiler.compile(request(source))
    assert result.limit is None
    if "\0" in source:
        assert "NUL" in errors(result)[0]
        assert result.diagnostics[0].line == source[: source.index("\0")].count("\n") + 1


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": "sm_90 --help"}, {"architecture": "compute_90"}, {"defines": (("A B", "1"),)},
        {"defines": (("A", "1\n#include"),)}, {"kernels": ("k\nvoid",)}, {"kernels": ("",)},
        {"kernels": ("k; int x",)}, {"file_name": "../kernel.cu"}, {"file_name": "/etc/kernel.cu"},
    ],
)  # fmt: skip
async def test_a_request_that_could_smuggle_options_is_refused(
    compiler: Compiler, change: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        await compiler.compile(request("__global__ void k() {}", **change))


async def test_identical_requests_are_compiled_once(
    compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    pool = compiler._pool  # pyright: ignore[reportPrivateUsage]
    plain = pool.request

    async def counted(*arguments: Any, **more: Any) -> Any:
        nonlocal asked
        asked += 1
        return await plain(*arguments, **more)

    monkeypatch.setattr(pool, "request", counted)
    one = request(SCALE, "scale", defines=(("FACTOR", "2.0f"),))
    other = request(SCALE, "scale", defines=(("FACTOR", "3.0f"),))
    results = await asyncio.gather(*(compiler.compile(each) for each in (one, one, other, one)))
    assert asked == 2
    assert results[0] is results[1] is results[3]


async def test_where_no_machine_code_is_asked_for_a_result_that_has_it_will_do(compiler: Compiler) -> None:
    whole = request(SCALE, "scale", defines=(("FACTOR", "5.0f"),))
    results = await asyncio.gather(compiler.compile(whole), compiler.compile(replace(whole, assembled=False)))
    assert results[1] is results[0]
    assert results[0].program is not None
    assert results[0].program.cubin


async def test_a_caller_that_gives_up_does_not_stop_the_others(compiler: Compiler) -> None:
    await compiler.warm()
    same = request("#include <cooperative_groups.h>\n__global__ void k() {}\n", "k")
    first, second = (asyncio.create_task(compiler.compile(same)) for _ in range(2))
    await asyncio.sleep(0.1)
    first.cancel()
    assert (await second).program is not None
    alone = asyncio.create_task(compiler.compile(request(BOMB, "k")))
    await asyncio.sleep(0.1)
    alone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await alone
