from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.plan import LaunchMode
from tools.kernel.file import MAX_BYTES, KernelFileError, parse, sweep

GOOD = """\
//@ tune   BLOCK = 256 in 64, 128, 256, 512
//@ define BLOCKS = ceil_div(n, BLOCK)
//@ scratch partial: float32[BLOCKS]
//@ launch reduce<<<BLOCKS, BLOCK, 4 * BLOCK>>>(x, partial, n)
//@ launch reduce<<<1, BLOCK, 4 * BLOCK>>>(partial, out, BLOCKS)
extern "C" __global__ void reduce(const float* x, float* out, int n) {}
"""
LAUNCH = "//@ launch k<<<1, 32>>>()\n"


def _reason(text: str | bytes) -> tuple[int, str]:
    with pytest.raises(KernelFileError) as caught:
        parse(text)
    error = caught.value
    assert str(error) == f"kernel.cu:{error.line}: {error.reason}"
    return error.line, error.reason


def test_the_four_kinds_of_directive_are_read_with_their_lines() -> None:
    file = parse(GOOD)
    (tunable,) = file.tunables
    assert (tunable.name, tunable.default, tunable.values, tunable.line) == (
        "BLOCK",
        256,
        (64, 128, 256, 512),
        1,
    )
    (define,) = file.defines
    assert (define.name, define.expression.text, define.line) == ("BLOCKS", "ceil_div(n, BLOCK)", 2)
    (scratch,) = file.scratch
    assert (scratch.name, scratch.dtype, [part.text for part in scratch.shape]) == (
        "partial",
        "float32",
        ["BLOCKS"],
    )
    first, second = file.launches
    assert (first.kernel, first.line, second.line) == ("reduce", 4, 5)
    assert [argument.name for argument in first.arguments] == ["x", "partial", "n"]
    assert first.shared_bytes.text == "4 * BLOCK"


def _launch(text: str):
    return parse(f"//@ launch {text}\n").launches[0]


def test_grid_and_block_may_be_tuples_of_up_to_three() -> None:
    launch = _launch("k<<<(n, m, 2), dim3(16, 16)>>>()")
    assert [part.text for part in launch.grid] == ["n", "m", "2"]
    assert [part.text for part in launch.block] == ["16", "16"]


def test_a_bracketed_sum_is_not_a_tuple() -> None:
    assert [part.text for part in _launch("k<<<(a + 1) * (b), (c)>>>()").grid] == ["(a + 1) * (b)"]


def test_cooperative_and_cluster_launches_are_asked_for_by_name() -> None:
    assert _launch("cooperative k<<<1, 32>>>()").mode is LaunchMode.COOPERATIVE
    cluster = _launch("cluster(2, 1, 1) k<<<8, 32>>>(x)")
    assert cluster.mode is LaunchMode.CLUSTER
    assert [part.text for part in cluster.cluster] == ["2", "1", "1"]
    assert _launch("cooperative<<<1, 32>>>()").kernel == "cooperative"


def test_template_instances_are_launched_by_name() -> None:
    launch = _launch("ns::k<BLOCK, float><<<n > 3, 32>>>(x);")
    assert (launch.kernel, launch.template) == ("ns::k", "BLOCK, float")
    assert launch.grid[0].text == "n > 3"


def test_casts_carry_their_dtype_and_floats_may_be_literals() -> None:
    arguments = _launch("k<<<1, 32>>>(i64(n * m), f32(1e-5), f64(-2.5), f32(n), (i64))").arguments
    assert [argument.dtype for argument in arguments] == ["int64", "float32", "float64", "float32", None]
    assert arguments[1].value == 1e-5
    assert arguments[2].value == -2.5


@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        ("tune BLOCK = 256", "`tune NAME = DEFAULT in VALUE, VALUE, ...`"),
        ("tune BLOCK = 100 in 64, 128", "among its values 64, 128; found 100"),
        ("tune BLOCK = n in 64, n", "an integer as the default of BLOCK"),
        ("tune BLOCK = 1 in " + "1, " * 64 + "1", "at most 64 values"),
        ("tune block = 1 in 1", "UPPER_CASE"),
        ("tune \u00c9 = 1 in 1", "UPPER_CASE"),
        ("define CUDART_PI_F = 3", "CUDA's headers define `CUDART_PI_F`"),
        ("define INT_MAX = 3", "CUDA's headers define"),
        ("define NULL = 0", "CUDA's headers define"),
        ("define _AB = 1", "UPPER_CASE"),
        ("define BLOCKS == 3", "`define NAME = EXPRESSION`"),
        ("define BLOCKS = ", "`define NAME = EXPRESSION`"),
        ("define BLOCKS = 1 / 2", "write `//`"),
        ("scratch partial: float[3]", "expected a dtype"),
        ("scratch partial: float32", "`scratch name: dtype[SIZE]`"),
        ("scratch partial: float32[]", "found no size"),
        ("scratch min: float32[3]", "expected a name for the scratch"),
        ("launch k", "`launch [cooperative"),
        ("launch k<<<1>>>()", "found 1 parts"),
        ("launch k<<<1, 2, 3, stream>>>()", "found 4 parts"),
        ("launch k<<<(1, 2, 3, 4), 5>>>()", "one to three expressions as grid"),
        ("launch k<<<1, 32>>>(x", "`launch [cooperative"),
        ("launch k<<<1, 32>>>(&x)", "argument `&x`"),
        ("launch k<<<1, 32>>>(x,)", "found nothing"),
        ("launch 2k<<<1, 32>>>()", "expected a kernel's name"),
        ("launch k<1;2><<<1, 32>>>()", "expected a kernel's name"),
        ("launch k<<<1, 32>>>(f32(1e39))", "finite float32"),
        ("launch k<<<1, 32>>>(f64(1e999))", "finite float64"),
        ("unroll 4", "expected one of tune, define, scratch, zero, fill, constant, launch, options"),
        ("", "expected one of tune, define, scratch, zero, fill, constant, launch, options"),
        ("define AB = " + "1" * 3000, "at most 2000 characters"),
    ],
)
def test_a_directive_that_cannot_be_read_names_its_line_and_what_was_expected(
    directive: str, expected: str
) -> None:
    line, reason = _reason(f"// text\n\n  //@ {directive}\n{LAUNCH}")
    assert line == 3
    assert expected in reason


def test_a_name_may_be_defined_once() -> None:
    line, reason = _reason("//@ tune AB = 1 in 1\n//@ define AB = 2\n" + LAUNCH)
    assert (line, reason) == (2, "expected a new name, found `AB`, which line 1 defines")


def test_a_tunable_may_have_the_name_of_a_headers_template_parameter() -> None:
    text = "//@ tune ITEMS_PER_THREAD = 4 in 4\n//@ tune V = 4 in 4\n" + LAUNCH
    found = parse(text + "#include <cub/block/block_reduce.cuh>\n").tunables
    assert [tunable.name for tunable in found] == ["ITEMS_PER_THREAD", "V"]


def test_a_file_without_a_launch_is_refused() -> None:
    assert "at least one `//@ launch" in _reason("__global__ void k() {}\n")[1]


def test_a_directive_after_code_on_its_line_is_refused() -> None:
    assert _reason(LAUNCH + "int x; //@ define AB = 1\n")[0] == 2


@pytest.mark.parametrize(
    "header",
    [
        "<cuda_fp16.h>",
        '"cuda_bf16.h"',
        "<mma.h>",
        "<cooperative_groups.h>",
        "<cooperative_groups/reduce.h>",
        "<cuda_pipeline.h>",
        "<cub/block/block_reduce.cuh>",
        "<cuda/barrier>",
        "<cuda/std/cstdint>",
        "<stdint.h>",
    ],
)
def test_device_headers_may_be_included(header: str) -> None:
    assert parse(f"#include {header} // why\n{LAUNCH}").includes == (header[1:-1],)


@pytest.mark.parametrize(
    "line",
    [
        '#include "/etc/passwd"',
        "#include </proc/self/environ>",
        '#include "../secret.h"',
        "#include <cub/../../secret.h>",
        "#include <cuda/./x>",
        "#include <filesystem>",
        "#include HEADER",
        "#include",
        "  #  include   <filesystem>",
        "%:include <filesystem>",
        "??=include <filesystem>",
        "#/* */include <filesystem>",
        "/* a\n*/ #include <filesystem>",
        "#inc\\\nlude <filesystem>",
        "#include_next <stdint.h>",
        '#embed "x"',
        '#import "x"',
        '#if __has_include("/etc/passwd")',
        '#include "mma.h" "x"',
        "#include <cuda_fp16.h\x00>",
    ],
)
def test_other_includes_are_refused(line: str) -> None:
    _reason(f"{LAUNCH}{line}\n")


def test_an_include_in_a_comment_or_a_string_does_not_count() -> None:
    text = f'{LAUNCH}// #include <filesystem>\n/*\n#include <filesystem>\n*/ const char* s = "/*";\nint n = 1\'000;\n'
    assert parse(text).includes == ()


def test_an_error_after_spliced_lines_still_names_its_own_line() -> None:
    assert _reason("#define AB \\\n  1 \\\n  + 2\n\n#include <filesystem>\n" + LAUNCH)[0] == 5


@pytest.mark.parametrize(
    ("data", "line", "expected"),
    [
        (b"//@ launch k<<<1, 32>>>()\n\xff", 2, "expected UTF-8 text, found byte 0xff"),
        (b"\n\n\x00", 3, "control character"),
        (b"a\rb", 1, "lone carriage return"),
        (b" " * (MAX_BYTES + 1), 1, "at most 256 KiB"),
        (b"", 1, "at least one"),
    ],
)
def test_bytes_that_are_no_kernel_file_are_refused_clearly(data: bytes, line: int, expected: str) -> None:
    found, reason = _reason(data)
    assert found == line
    assert expected in reason


def test_a_lone_surrogate_is_refused() -> None:
    assert _reason("\n\ud800")[0] == 2


def test_windows_line_ends_and_a_byte_order_mark_are_accepted() -> None:
    assert parse("\ufeff" + GOOD.replace("\n", "\r\n")) == parse(GOOD)


def _line_at_fault(text: str | bytes) -> int:
    """The line that an error names; 1 where the text is a kernel file."""
    try:
        parse(text)
    except KernelFileError as error:
        return error.line
    return 1


@given(st.text())
def test_any_text_is_a_kernel_file_or_a_kernel_file_error(text: str) -> None:
    assert 1 <= _line_at_fault(text) <= text.count("\n") + 1


@given(st.binary())
def test_any_bytes_are_a_kernel_file_or_a_kernel_file_error(data: bytes) -> None:
    assert 1 <= _line_at_fault(data) <= data.count(b"\n") + 1


_PIECES = st.sampled_from(
    [
        *(
            "//@ ",
            "tune ",
            "define ",
            "scratch ",
            "launch ",
            "AB",
            " = ",
            " in ",
            "<<<",
            ">>>",
            "(",
            ")",
            ",",
        ),
        *(
            "1",
            "n",
            "#include ",
            "<",
            ">",
            '"',
            "'",
            "\n",
            "\\\n",
            "/*",
            "*/",
            "float32",
            "[",
            "]",
            ":",
            "::",
        ),
        *("cluster", 'R"'),
    ]
)


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_any_jumble_of_directives_is_a_kernel_file_or_a_kernel_file_error(text: str) -> None:
    assert 1 <= _line_at_fault(text) <= text.count("\n") + 1


def test_a_sweep_starts_with_the_defaults_and_ends_with_the_whole_product() -> None:
    file = parse("//@ tune AA = 2 in 1, 2, 3\n//@ tune BB = 8 in 8, 16\n" + LAUNCH)
    settings = sweep(file)
    assert settings[0] == {"AA": 2, "BB": 8}
    assert settings[1:4] == [{"AA": 1, "BB": 8}, {"AA": 3, "BB": 8}, {"AA": 2, "BB": 16}]
    assert len(settings) == 6
    assert len({tuple(item.items()) for item in settings}) == 6
    assert sweep(file, 2) == settings[:2]


def test_a_sweep_of_a_huge_product_is_capped_at_once() -> None:
    values = ", ".join(map(str, range(64)))
    text = "".join(f"//@ tune T{index:02d} = 0 in {values}\n" for index in range(60))
    assert len(sweep(parse(text + LAUNCH), 10)) == 10


def test_a_file_without_tunables_has_one_setting() -> None:
    assert sweep(parse(LAUNCH)) == [{}]


KERNEL = "//@ launch k<<<1, 32>>>(x)\n__global__ void k(float* x) {{ {} }}\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (KERNEL.format("x[0] = __DATE__[7];"), 2),
        (KERNEL.format("x[0] = __TIME__[0];"), 2),
        (KERNEL.format("x[0] = __TIMESTAMP__[0];"), 2),
        (KERNEL.format("const char* f = __FILE__; x[0] = f[0];"), 2),
        (KERNEL.format("x[0] = __builtin_FILE()[0];"), 2),
        (KERNEL.format("x[0] = __DA\\\nTE__[0];"), 2),
        ("#define WHEN __TIME__\n" + KERNEL.format(""), 1),
        ("#define JOIN(a, b) a##b\n" + KERNEL.format("x[0] = JOIN(__DA, TE__)[0];"), 1),
        ("#define JOIN(a, b) a%:%:b\n" + KERNEL.format("x[0] = JOIN(JOIN(__TI, ME), __)[0];"), 1),
    ],
)
def test_what_tells_when_a_file_was_compiled_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(KernelFileError, match="nothing may depend on when") as refused:
        parse(text)
    assert refused.value.line == line


@pytest.mark.parametrize(
    "text",
    [
        KERNEL.format("/* __DATE__ */ x[0] = 1; // __FILE__"),
        KERNEL.format('printf("__TIME__ %f", x[0]);'),
        KERNEL.format('printf(R"(__DATE__)");'),
        KERNEL.format("int __DATE = 1, TE__ = 2; x[0] = __DATE + TE__ + __LINE__;"),
        "#define JOIN(a, b) a##b\n"
        + KERNEL.format("int JOIN(first, _DATE) = 1; x[0] = first_DATE; // __DATE__"),
    ],
)
def test_words_in_comments_and_literals_and_harmless_pasting_pass(text: str) -> None:
    assert parse(text).launches
