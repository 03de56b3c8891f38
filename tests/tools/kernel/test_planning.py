from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.plan import BufferArgument, BufferSpec, LaunchMode, Plan, Role, ScalarArgument
from tools.kernel.file import KernelFileError, parse
from tools.kernel.planning import compile_request, plan
from tools.tasks.task import Case, Task, TaskArgument, TaskError

ALPHA = TaskArgument("alpha", "scalar", "float32", (), "constant(0.5)")
BETA = TaskArgument("beta", "scalar", "int64", (), "integers(1, 9)")
SUM = Task(
    "sum",
    "",
    ("n",),
    (
        TaskArgument("x", "in", "float32", ("n",), "normal(0, 1)"),
        TaskArgument("out", "out", "float32", ("1",)),
    ),
    (Case({"n": 1000}),),
    (Case({"n": 1000}),),
    "n",
    "4 * n",
    folder=Path(),
    sha="",
    reference="",
    baseline="",
)
KERNEL = """\
//@ tune   BLOCK = 256 in 64, 128, 256, 512
//@ define BLOCKS = ceil_div(n, BLOCK)
//@ define BIAS = 0 - 3
//@ scratch partial: float32[BLOCKS, 2]
//@ launch reduce<<<BLOCKS, BLOCK, 4 * BLOCK>>>(x, partial, n)
//@ launch reduce<<<1, BLOCK, 4 * BLOCK>>>(partial, out, BLOCKS)
extern "C" __global__ void reduce(const float* x, float* out, int n) { int b = BLOCK + BIAS; }
"""


def _launch(text: str, task: Task = SUM, n: int = 1000, scalars: dict[str, int | float] | None = None):
    return plan(parse(f"//@ launch {text}\n"), task, {"n": n}, scalars=scalars).launches[0]


def _with(*arguments: TaskArgument) -> Task:
    return Task(**{**SUM.__dict__, "arguments": (*SUM.arguments, *arguments)})


def _reason(text: str, task: Task = SUM, tune: dict[str, int] | None = None) -> tuple[int, str]:
    with pytest.raises(KernelFileError) as caught:
        plan(parse(text), task, {"n": 1000}, tune)
    return caught.value.line, caught.value.reason


def test_a_plan_lists_the_tasks_buffers_then_scratch_and_the_launches_in_order() -> None:
    found = plan(parse(KERNEL), SUM, {"n": 1000})
    assert isinstance(found, Plan)
    assert found.buffers == (
        BufferSpec("x", Role.IN, "float32", 1000),
        BufferSpec("out", Role.OUT, "float32", 1),
        BufferSpec("partial", Role.SCRATCH, "float32", 8),
    )
    first, second = found.launches
    assert (first.kernel, first.grid, first.block, first.shared_bytes) == (
        "reduce",
        (4, 1, 1),
        (256, 1, 1),
        1024,
    )
    assert first.arguments == (BufferArgument("x"), BufferArgument("partial"), ScalarArgument("int32", 1000))
    assert (second.grid, second.line) == ((1, 1, 1), 6)


def test_tune_replaces_defaults_and_reaches_the_defines_below() -> None:
    assert plan(parse(KERNEL), SUM, {"n": 1000}, {"BLOCK": 64}).launches[0].grid == (16, 1, 1)


@pytest.mark.parametrize(
    ("tune", "expected"),
    [
        ({"BLOCK": 100}, "one of 64, 128, 256, 512; found 100"),
        ({"SIZE": 1}, "tunables (BLOCK), found `SIZE`"),
    ],
)
def test_a_setting_that_the_file_does_not_list_is_refused(tune: dict[str, int], expected: str) -> None:
    assert expected in _reason(KERNEL, tune=tune)[1]


def test_directives_see_only_the_names_above_them() -> None:
    line, reason = _reason("//@ define AB = CD\n//@ define CD = 1\n//@ launch k<<<1, 1>>>()\n")
    assert line == 1
    assert "unknown name `CD`; known here: n" in reason


@pytest.mark.parametrize(
    ("launch", "expected"),
    [
        ("k<<<1, 32>>>(y)", "known here (x, out, n), found `y`"),
        ("k<<<1, 32>>>(x + 1)", "expected `x` to be passed alone"),
        ("k<<<1, 32>>>(i64(x))", "expected `x` to be passed alone"),
        ("k<<<1, 32>>>(i32(n * 3000000))", "fits in int32, found 3000000000"),
        ("k<<<1, 32>>>(f16(1e6))", "a finite float16"),
        ("k<<<x, 32>>>()", "unknown name `x`"),
        ("k<<<n - 1001, 32>>>()", "grid without negative numbers, found -1"),
        ("k<<<1, 0 - 1>>>()", "block without negative numbers"),
        ("k<<<1, 32, 0 - 4>>>()", "at least 0 bytes"),
        ("k<<<1, 32 // 0>>>()", "division by zero"),
    ],
)
def test_a_launch_that_cannot_be_resolved_names_its_line(launch: str, expected: str) -> None:
    line, reason = _reason(f"\n//@ launch {launch}\n")
    assert line == 2
    assert expected in reason


@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        ("scratch partial: float32[n - 1000]", "at least one element in partial, found 0"),
        ("scratch partial: float32[0 - 2, 0 - 2]", "at least one element"),
        ("scratch x: float32[4]", "task sum has `x` already"),
        ("scratch n: float32[4]", "task sum has `n` already"),
    ],
)
def test_scratch_must_have_a_size_and_a_name_of_its_own(directive: str, expected: str) -> None:
    assert expected in _reason(f"//@ {directive}\n//@ launch k<<<1, 1>>>()\n")[1]


def test_an_empty_or_impossible_grid_is_the_devices_business() -> None:
    assert _launch("k<<<0, 4096>>>()").grid == (0, 1, 1)
    assert _launch("k<<<n * 10000000000, 32>>>()").grid[0] == 10**13


def test_modes_and_clusters_reach_the_plan() -> None:
    launch = _launch("cluster(2, 4) k<<<8, 32>>>()")
    assert (launch.mode, launch.cluster) == (LaunchMode.CLUSTER, (2, 4, 1))
    assert _launch("cooperative k<<<8, 32>>>()").cluster == (1, 1, 1)


def test_expressions_are_passed_as_asked() -> None:
    assert _launch("k<<<1, 1>>>(0 - n, i64(n * 3000000), f32(n), f64(2), f32(1e-5), i32(n))").arguments == (
        ScalarArgument("int32", -1000),
        ScalarArgument("int64", 3_000_000_000),
        ScalarArgument("float32", 1000.0),
        ScalarArgument("float64", 2.0),
        ScalarArgument("float32", 1e-5),
        ScalarArgument("int32", 1000),
    )


def test_the_tasks_scalars_are_passed_in_their_dtype() -> None:
    launch = _launch("k<<<1, 1>>>(alpha, beta)", _with(ALPHA, BETA), scalars={"beta": 7})
    assert launch.arguments == (ScalarArgument("float32", 0.5), ScalarArgument("int64", 7))


def test_a_scalar_without_a_value_is_a_task_error() -> None:
    with pytest.raises(TaskError, match="a value for scalar beta"):
        _launch("k<<<1, 1>>>(beta)", _with(BETA))


def test_a_missing_size_is_a_task_error() -> None:
    with pytest.raises(TaskError, match="a size for n"):
        plan(parse(KERNEL), SUM, {})


def test_only_macros_that_the_code_names_reach_the_compiler() -> None:
    request = compile_request(parse(KERNEL), SUM, {"n": 1000}, {"BLOCK": 128}, "sm_90")
    assert request.defines == (("BIAS", "(-3)"), ("BLOCK", "128"))
    assert request.kernels == ("reduce",)
    assert request.architecture == "sm_90"
    assert request.source == KERNEL


def test_a_size_that_the_code_does_not_name_asks_for_the_same_compilation() -> None:
    file = parse(KERNEL)
    assert compile_request(file, SUM, {"n": 1000}, None, "sm_90") == compile_request(
        file, SUM, {"n": 77777}, {}, "sm_90"
    )


def test_a_macro_named_only_in_a_comment_does_not_reach_the_compiler() -> None:
    text = "//@ define BLOCKS = n\n//@ launch k<<<1, 1>>>()\n/* BLOCKS */ __global__ void k() {} // BLOCKS\n"
    assert compile_request(parse(text), SUM, {"n": 1000}, None, "sm_90").defines == ()


def test_the_least_64_bit_value_is_written_so_that_c_can_read_it() -> None:
    text = "//@ define LEAST = 0 - 9223372036854775807 - 1\n//@ launch k<<<1, 1>>>()\nlong long a = LEAST;\n"
    request = compile_request(parse(text), SUM, {"n": 1}, None, "sm_90")
    assert request.defines == (("LEAST", "(-9223372036854775807-1)"),)


def test_template_arguments_become_values_and_the_plan_launches_the_same_name() -> None:
    text = "//@ tune BLOCK = 64 in 64, 128\n//@ launch k<BLOCK, float><<<1, BLOCK>>>(x)\n"
    file = parse(text)
    assert compile_request(file, SUM, {"n": 1}, {"BLOCK": 128}, "sm_90").kernels == ("k<128, float>",)
    assert plan(file, SUM, {"n": 1}, {"BLOCK": 128}).launches[0].kernel == "k<128, float>"
