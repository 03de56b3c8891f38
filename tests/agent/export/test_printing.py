"""Expressions and launches in C++ have the values that the planner gives them: one program prints them all."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import pytest

from agent.export.cuda_form import cuda_files
from agent.export.printing import cpp, python
from tests.agent.export.exporting import address, package, plan_module, planned
from tests.agent.export.test_cuda_form import build, needs_compiler, write
from tests.agent.export.test_plan import HARD, SIZES, hard
from tools import expressions
from tools.expressions import ExpressionError

TEXTS = (
    "a // b", "a % b", "ceil_div(a, b)", "-a // b * b + a % b", "a - b - 1", "next_pow2(a)", "log2(a)",
    "min(a, b, 3)", "max(a, -b)", "min(a)", "a < b <= 5 < 9", "1 < a != b", "a if b else 7 if a > 2 else -b",
    "(a < b) + (a == b) * 10", "a * 4611686018427387904", "b // 3 if b > 3 else a % 3", "+a * -b",
    "9223372036854775807 + a", "-9223372036854775807 - a",
)  # fmt: skip
VALUES = (-9, -2, -1, 0, 1, 2, 3, 7, 64)


def expected(text: str, a: int, b: int) -> str:
    try:
        return str(expressions.parse(text).evaluate({"a": a, "b": b}))
    except ExpressionError:
        return "error"


def test_expressions_in_python_have_the_same_values() -> None:
    module = plan_module(package(hard(), HARD))
    names = {name: getattr(module, name) for name in ("ceil_div", "next_pow2", "log2")}
    for text, a, b in itertools.product(TEXTS, VALUES, VALUES):
        wanted = expected(text, a, b)
        try:
            found = str(eval(python(expressions.parse(text)), names, {"a_": a, "b_": b}))
        except (ZeroDivisionError, ValueError):
            found = "error"
        beyond = (
            found != "error" and abs(int(found)) > 2**62
        )  # Python's integers have no end; what is passed is checked
        assert found == wanted or beyond, (text, a, b)


def program() -> str:
    """C++ that prints every expression, then every launch of the kernel with everything."""
    cases = "\n".join(
        f"    show([](integer a_, integer b_) {{ (void)a_, (void)b_; return {cpp(expressions.parse(text))}; }});"
        for text in TEXTS
    )
    values = ", ".join(map(str, VALUES))
    lengths = ", ".join(
        f"{{{', '.join(str(len(data)) for data in one[4])}}}"
        for one in planned(hard(), HARD, SIZES[0], {"alpha": 0.25})
    )  # type: ignore[index]
    sizes = "".join(f"{{{one['n']}}}, " for one in SIZES)
    pointers = {name: f"reinterpret_cast<{kind}>({address(name)}ULL)" for name, kind in (
        ("x", "const float*"), ("weights", "const float*"), ("out", "float*"), ("total", "std::int32_t*"),
    )}  # fmt: skip
    return f"""
#include "src/plan.cpp"
#include <cstdio>
#include <vector>
namespace small_kernel {{
const exported::Image IMAGES[1] = {{}};
const int IMAGE_COUNT = 0;
const std::vector<std::vector<int>> LENGTHS = {{{lengths}}};
struct Recording : Run {{
    void* scratch(integer bytes) override {{ std::printf("scratch %lld\\n", static_cast<long long>(bytes.value)); return reinterpret_cast<void*>({address("partial")}ULL); }}
    void begin(int kernel, int) override {{ std::printf("begin %d\\n", kernel); }}
    void constant(const char* symbol, const void*, integer bytes) override {{ std::printf("constant %s %lld\\n", symbol, static_cast<long long>(bytes.value)); }}
    void launch(const Launch& one, void** parameters) override {{
        std::printf("%u,%u,%u %u,%u,%u %u", one.grid[0], one.grid[1], one.grid[2], one.block[0], one.block[1], one.block[2], one.shared_bytes);
        const auto& lengths = LENGTHS[one.symbol];
        for (std::size_t i = 0; i < lengths.size(); ++i) {{
            std::printf(" ");
            for (int byte = 0; byte < lengths[i]; ++byte) std::printf("%02x", static_cast<unsigned char*>(parameters[i])[byte]);
        }}
        std::printf("\\n");
    }}
}};
template <class F> void show(F value) {{
    for (std::int64_t a : {{{values}}}) for (std::int64_t b : {{{values}}}) try {{
        std::printf("%lld\\n", static_cast<long long>(value(integer(a), integer(b)).value));
    }} catch (const std::exception&) {{ std::printf("error\\n"); }}
}}
}}
int main() {{
    using namespace small_kernel;
{cases}
    std::printf("launches\\n");
    for (const Sizes& at : std::vector<Sizes>{{{sizes}}}) {{
        std::printf("at %lld\\n", static_cast<long long>(at.n));
        Recording run;
        kernel_0(at, Arguments{{{pointers["x"]}, {pointers["weights"]}, 0.25f, {pointers["out"]}, {pointers["total"]}}}, run);
    }}
}}
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory, driver: Path) -> list[str]:
    folder = write(cuda_files(package(hard(), HARD)), tmp_path_factory.mktemp("printed"))
    (folder / "main.cpp").write_text(program())
    built = build(
        folder, "main.cpp", libraries=("-pedantic", "-Wno-unused-function", str(driver / "libcuda.so.1"))
    )
    return subprocess.run(
        [built], capture_output=True, text=True, check=True, env={"LD_LIBRARY_PATH": str(driver)}
    ).stdout.splitlines()


@needs_compiler
def test_expressions_in_cpp_have_the_same_values(printed: list[str]) -> None:
    wanted = [expected(text, a, b) for text, a, b in itertools.product(TEXTS, VALUES, VALUES)]
    assert printed[: printed.index("launches")] == wanted


@needs_compiler
def test_launches_in_cpp_are_as_planned_at_every_size(printed: list[str]) -> None:
    shown = printed[printed.index("launches") + 1 :]
    for dims in SIZES:
        start = shown.index(f"at {dims['n']}")
        blocks = -(-dims["n"] // 64)
        assert shown[start + 1 : start + 4] == [f"scratch {16 * blocks}", "begin 0", "constant taps 32"]
        for line, wanted in zip(
            shown[start + 4 :], planned(hard(), HARD, dims, {"alpha": 0.25}), strict=False
        ):
            _, grid, block, shared, arguments = wanted  # type: ignore[misc]
            extents = [",".join(map(str, grid)), ",".join(map(str, block)), str(shared)]
            assert line.split() == [*extents, *(data.hex() for data in arguments)]
