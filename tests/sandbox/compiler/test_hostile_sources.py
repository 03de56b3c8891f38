"""Sources that are written to harm the compiler, its machine, or whoever reads its messages."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from pathlib import Path

import pytest

from sandbox.compiler.report import LOG_BYTES
from sandbox.compiler.service import Compiler
from sandbox.isolation.base import Isolation
from sandbox.isolation.process import ProcessIsolation, landlock_abi
from sandbox.program import CompileRequest, CompileResult

pytestmark = pytest.mark.usefixtures("nothing_left")

KERNEL = "__global__ void k(int* x) { x[0] = 1; }\n"
MEMORY_BYTES = 3 << 29
CPU_S = 0.5
"""Of processor time, ten times what an honest source takes."""

MESSAGE_BYTES = 64 << 10


def doubling(name: str, start: str, factor: int, times: int) -> str:
    lines = [f"#define {name}0 {start}"]
    lines += [f"#define {name}{n + 1} " + f"{name}{n} " * factor for n in range(times)]
    return "\n".join(lines) + "\n"


def verdict(result: CompileResult) -> str:
    if result.program is not None:
        return "compiles"
    return "compile_error" if result.limit is None else "resource_limit"


async def compiled(compiler: Compiler, source: str, cpu_s: float = CPU_S, turns: int = 1) -> tuple[str, str]:
    """Compile, after up to `turns - 1` others; return the verdict, and all that anybody will read of it."""
    result = await compiler.compile(CompileRequest(source, "sm_90", kernels=("k",)), cpu_s=cpu_s)
    assert len(result.log.encode()) <= LOG_BYTES
    assert sum(len(one.message.encode()) for one in result.diagnostics) <= MESSAGE_BYTES
    errors = [one for one in result.diagnostics if one.severity == "error"]
    assert bool(errors) == (result.program is None)
    assert all(one.message.strip() for one in result.diagnostics)
    return verdict(result), repr(dataclasses.replace(result, program=None)) + (
        result.program.ptx + repr(result.program.cubin) if result.program else ""
    )


BOMBS = {
    "templates that double": (
        "template <int A, int B> struct Q { static constexpr int v = Q<A - 1, B * 2>::v + Q<A - 1, B * 2 + 1>::v; };\n"
        "template <int B> struct Q<0, B> { static constexpr int v = B; };\n"
        "__global__ void k(int* x) { x[0] = Q<28, 1>::v; }"
    ),
    "macros that multiply statements": doubling("A", "x[0] += x[1];", 8, 9)
    + "__global__ void k(int* x) { A9 }",
    "macros that multiply a string": doubling("B", '"ha"', 10, 8)
    + "__global__ void k(int* x) { const char* s = B8; x[0] = s[x[1]]; }",
    "a gibibyte of initial values": (
        "__device__ int big[1 << 28] = {1};\n__global__ void k(int* x) { x[0] = big[x[1]]; }"
    ),
    "a hundred thousand statements": "__global__ void k(int* x) {\n" + "x[0] += x[1];\n" * 100_000 + "}",
}


async def test_a_bomb_ends_as_a_resource_limit_in_bounded_time_and_the_next_kernel_compiles(
    bubblewrapped: Isolation,
) -> None:
    async with Compiler(bubblewrapped, memory_bytes=MEMORY_BYTES, workers=2) as compiler:
        found = await asyncio.gather(*(compiled(compiler, source, turns=3) for source in BOMBS.values()))
        for name, (became, said) in zip(BOMBS, found, strict=True):
            assert became == "resource_limit", name
            assert "look for" in said
        assert (await compiled(compiler, KERNEL, 20))[0] == "compiles"


QUICK = {
    "a template without end": (
        "template <int N> struct E { static constexpr int v = E<N + 1>::v; };\n__global__ void k(int* x) { x[0] = E<0>::v; }",
        {"compile_error"}, "recursion",
    ),
    "a constexpr loop of a billion": (
        "constexpr int f() { int s = 0; for (int i = 0; i < 1000000000; ++i) s ^= i; return s; }\n"
        "__global__ void k(int* x) { constexpr int v = f(); x[0] = v; }",
        {"compile_error"}, "constant value",
    ),
    "constexpr recursion": (
        "constexpr int f(int n) { return n < 2 ? n : f(n - 1) + f(n - 2); }\n"
        "__global__ void k(int* x) { constexpr int v = f(45); x[0] = v; }",
        {"compile_error"}, "constant value",
    ),
    "a file that includes itself": ("#include __FILE__\n" + KERNEL, {"compile_error"}, "includes itself"),
    "a gibibyte of shared memory": (
        "__global__ void k(int* x) { __shared__ char s[1 << 30]; s[x[0]] = 1; x[1] = s[x[2]]; }",
        {"compile_error"}, "too much shared data",
    ),
    "half a million lines": ("// line\n" * 500_000 + KERNEL, {"compiles"}, ""),
    "a line of five megabytes": (KERNEL + "//" + "a" * 5_000_000, {"compiles"}, ""),
    "fifty thousand parentheses": (
        f"__global__ void k(int* x) {{ x[0] = {'(' * 50_000}1{')' * 50_000}; }}",
        {"compiles", "compile_error", "resource_limit"}, "",
    ),
    "800 failed assertions": (
        "".join(f'static_assert(false, "{"flood " * 200}{index}");\n' for index in range(800)) + KERNEL,
        {"compile_error"}, "static assertion failed",
    ),
    "a NUL": (KERNEL + "\0 hidden", {"compile_error"}, "NUL character"),
    "invalid UTF-8": (KERNEL + "// \udcff\udcfe\n", {"compiles"}, ""),
    "invalid UTF-8 in code": ("int \udcff;\n" + KERNEL, {"compile_error"}, ""),
    "control characters": ("".join(map(chr, range(1, 32))) + KERNEL, {"compile_error"}, "unrecognized token"),
    "text that runs backwards": ("/* \u202e } \u2066 */" + KERNEL, {"compiles"}, ""),
    "a line number past any file": ('#line 2147483647 "kernel.cu"\nint x = ;\n' + KERNEL, {"compile_error"}, "expression"),
    "a file embedded": ('__constant__ char c[] = {\n#embed "/etc/passwd"\n};\n' + KERNEL, {"compile_error"}, "directive"),
    "assembly that includes": (
        '__global__ void k(int* x) { asm(".include \\"/etc/passwd\\""); }', {"compile_error"}, "Parsing error"
    ),
    "assembly that embeds": (
        '__global__ void k(int* x) { asm(".incbin \\"/etc/passwd\\";"); }', {"compile_error"}, "Parsing error"
    ),
    "assembly of the host": ('asm(".incbin \\"/etc/passwd\\"");\n' + KERNEL, {"compiles"}, ""),
    "a constructor before main": (
        'extern "C" int system(const char*);\nstatic int ran = system("touch /tmp/ran");\n' + KERNEL,
        {"compile_error"}, "dynamic initialization",
    ),
    "a function of the host": ("__host__ void h() {}\n" + KERNEL, {"compile_error"}, "not allowed"),
    "another threadIdx": ("#define threadIdx blockIdx\n#define float double\n" + KERNEL, {"compiles"}, ""),
    "odd pragmas": (
        '#pragma once\n#pragma GCC poison x\n#pragma message("PASS")\n#pragma diag_suppress 20\n#pragma include_alias("a", "/b")\n' + KERNEL,
        {"compiles"}, "",
    ),
}  # fmt: skip


async def test_an_odd_source_compiles_or_is_refused_for_what_it_is(bubblewrapped: Isolation) -> None:
    passwords = Path("/etc/passwd").read_text().splitlines()[0]
    async with Compiler(bubblewrapped, memory_bytes=MEMORY_BYTES, workers=2) as compiler:
        await compiler.warm()
        found = await asyncio.gather(*(compiled(compiler, source, 10) for source, _, _ in QUICK.values()))
        for (name, (_, expected, part)), (became, said) in zip(QUICK.items(), found, strict=True):
            assert became in expected, (name, said[:500])
            assert part in said, (name, said[:500])
            assert passwords not in said
    assert not Path("/tmp/ran").exists()


def confined(name: str, bubblewrapped: Isolation) -> Isolation:
    if name == "bubblewrap":
        return bubblewrapped
    if not landlock_abi():
        pytest.skip("no Landlock here")
    return ProcessIsolation(landlock=True)


@pytest.mark.parametrize("name", ["bubblewrap", "process, with Landlock"])
async def test_no_file_of_the_host_can_be_included_found_or_told_from_one_that_is_not_there(
    name: str, bubblewrapped: Isolation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret.h"
    secret.write_text('#define SESAME 1\n#error "open_sesame"\n')
    monkeypatch.setenv("OPENAI_API_KEY", "open_sesame")
    absent = str(tmp_path / "absent.h")
    hidden = [
        str(secret), "../" * 12 + str(secret).lstrip("/"), "/etc/passwd", "/proc/self/environ", "/proc/self/cmdline",
        f"/proc/{os.getpid()}/environ", "/proc/self/fd/0", "/dev/zero", "/dev/stdin", "/dev/urandom", "/dev/tty",
        "/dev/fd/0", "/sys/kernel/notes",
    ]  # fmt: skip
    async with Compiler(confined(name, bubblewrapped), memory_bytes=MEMORY_BYTES) as compiler:
        await compiler.warm()
        became, plain = await compiled(compiler, f'#include "{absent}"\n{KERNEL}')
        assert became == "compile_error"
        for path in hidden:
            became, said = await compiled(compiler, f'#include "{path}"\n{KERNEL}')
            assert (became, said.replace(path, absent)) == ("compile_error", plain)
            oracle = f'#if __has_include("{path}") || __has_include(<{path}>)\n#error there\n#endif\n{KERNEL}'
            assert (await compiled(compiler, oracle))[0] == "compiles", path
        for way in ("#include_next", "#pragma include_alias", "import", "#import"):
            _, said = await compiled(compiler, f'{way} "{secret}"\n{KERNEL}')
            assert "open_sesame" not in said


async def test_a_path_in_a_line_directive_is_not_shown_as_if_it_were_one_of_the_host(
    bubblewrapped: Isolation,
) -> None:
    async with Compiler(bubblewrapped, memory_bytes=MEMORY_BYTES) as compiler:
        for path in ("/etc/shadow", "../../../etc/shadow", "/warpwright/app/sandbox/wire.py"):
            for body in ("#error PASS\n", "int x = ;\n"):
                became, said = await compiled(compiler, f'#line 7 "{path}"\n{body}{KERNEL}')
                assert became == "compile_error"
                assert path not in said
                assert "PASS" not in said
