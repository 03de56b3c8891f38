"""`zero`, `fill` and `options`, from a kernel file's text to a verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.plan import BufferSpec, Role, ScalarArgument
from sandbox.verdict import Verdict
from tests.sandbox.simulator import in_process
from tools.kernel.file import KernelFileError, parse
from tools.kernel.fills import fill_launch
from tools.kernel.planning import compile_request, plan
from tools.tasks.drafting import write_folder
from tools.tasks.folder import find, load
from tools.tasks.task import Case, Task, TaskArgument, WholeTask
from tools.toolbox import CompileOrder, ProfileOrder, TestOrder

RELU = find("relu", None)
NEGATIVE_SKIPPED = """\
//@ zero y
//@ launch relu<<<ceil_div(n, 128), 128>>>(x, y, n)
__global__ void relu(const float* x, float* y, int n) {
    int i = blockIdx.x * 128 + threadIdx.x;
    if (i < n && x[i] > 0.0f) y[i] = x[i];
}
"""


@pytest.mark.parametrize(
    ("directive", "verdict"),
    [
        ("zero y", Verdict.PASS),
        ("fill y = 0", Verdict.PASS),
        ("fill y = -0.0f", Verdict.PASS),
        ("fill y = 1.5", Verdict.WRONG_RESULT),
    ],
)
async def test_what_is_filled_before_a_launch_is_what_it_finds(directive: str, verdict: Verdict) -> None:
    async with in_process.toolbox(in_process.frozen_once()) as toolbox:
        report = await toolbox.do(TestOrder(RELU, NEGATIVE_SKIPPED.replace("zero y", directive), seed=1))
    assert report.verdict is verdict, report.message


def test_a_fill_is_a_launch_of_its_own_in_its_place() -> None:
    file = parse(NEGATIVE_SKIPPED)
    made = plan(file, RELU, {"n": 1000})
    assert [(launch.kernel, launch.line) for launch in made.launches] == [
        ("warpwright_fill_4", 1),
        ("relu", 2),
    ]
    request = compile_request(file, RELU, {"n": 1000}, None, "sm_90")
    assert request.source.startswith(NEGATIVE_SKIPPED)
    assert request.kernels == ("relu", "warpwright_fill_4")


@pytest.mark.parametrize(
    ("dtype", "value", "bits"),
    [
        ("float32", 1.0, 0x3F800000),
        ("float16", 1.0, 0x3C00),
        ("bfloat16", -2.0, 0xC000),
        ("float32", float("-inf"), 0xFF800000),
        ("int8", -1, 0xFF),
        ("uint64", 2**40, 2**40),
        ("bool", 1, 1),
    ],
)
def test_the_value_is_in_the_dtype_of_the_buffer(dtype: str, value: float, bits: int) -> None:
    launch = fill_launch(BufferSpec("y", Role.OUT, dtype, 7), value, 1)
    assert launch.arguments[2] == ScalarArgument("uint64", bits)


@pytest.mark.parametrize(
    ("directive", "said"),
    [
        ("zero x", "expected an output or a scratch buffer known here (y), found `x`"),
        ("zero z", "found `z`"),
        ("fill y = many", "expected an integer"),
        ("fill y", "expected `fill NAME = NUMBER`"),
        ("zero", "expected `zero NAME`"),
        ("options -lineinfo", "expected options of -use_fast_math"),
        ("options -maxrregcount=5000", "-maxrregcount"),
        ("options -I/etc", "found `-I/etc`"),
        ("options -Dmin=1", "UPPER_CASE"),
        ("options", "found none"),
    ],
)
def test_a_mistake_names_its_line_and_what_was_expected(directive: str, said: str) -> None:
    with pytest.raises(KernelFileError) as error:
        plan(parse(NEGATIVE_SKIPPED.replace("zero y", directive)), RELU, {"n": 10})
    assert str(error.value).startswith("kernel.cu:1: ")
    assert said in str(error.value)


CONVOLVED = """\
//@ constant WEIGHTS = weights
//@ launch scale<<<ceil_div(n, 128), 128>>>(x, y, n)
__constant__ float WEIGHTS[4];
__global__ void scale(const float* x, float* y, int n) {
    int i = blockIdx.x * 128 + threadIdx.x;
    if (i < n) y[i] = x[i] * WEIGHTS[i % 4];
}
"""


@pytest.fixture
def weighted(tmp_path: Path) -> Task:
    draft = WholeTask(
        name="weighted",
        summary="Every element times one of four weights.",
        dims=("n",),
        arguments=(
            TaskArgument("x", "in", "float32", ("n",), "normal(0, 1)"),
            TaskArgument("weights", "in", "float32", ("4",), "normal(0, 1)"),
            TaskArgument("y", "out", "float32", ("n",)),
        ),
        tests=(Case({"n": 1}), Case({"n": 333})),
        benches=(Case({"n": 1024}),),
        flops="n",
        bytes="8 * n",
        reference="import numpy as np\n\n\ndef reference(x, weights, n):\n"
        "    return {'y': x * np.resize(weights, n)}\n",
        baseline=CONVOLVED,
    )
    write_folder(draft, tmp_path / "weighted")
    return load(tmp_path / "weighted")


async def test_what_fills_a_constant_array_is_read_through_the_constant_cache_and_is_no_launch(
    weighted: Task,
) -> None:
    plain = CONVOLVED.replace("//@ constant WEIGHTS = weights\n", "").replace(
        "__constant__ float WEIGHTS[4];\n", ""
    )
    passed = plain.replace("(x, y, n)", "(x, weights, y, n)").replace("float* y", "float* WEIGHTS, float* y")
    async with in_process.toolbox(in_process.frozen_once()) as toolbox:
        constant = await toolbox.do(ProfileOrder(weighted, CONVOLVED))
        pointer = await toolbox.do(ProfileOrder(weighted, passed))
    (ours,), (theirs,) = constant.shapes[0].launches, pointer.shapes[0].launches
    assert (ours.kernel, theirs.kernel) == ("scale", "scale"), pointer.message
    loads = "l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum"
    requests = [
        next(metric.value for metric in launch.metrics if metric.name == loads) for launch in (ours, theirs)
    ]
    assert requests[0] == requests[1] / 2


async def test_a_constant_array_is_filled_from_an_argument(weighted: Task) -> None:
    async with in_process.toolbox(in_process.frozen_once()) as toolbox:
        report = await toolbox.do(TestOrder(weighted, CONVOLVED, seed=1))
        compiled = await toolbox.do(CompileOrder(weighted, CONVOLVED))
        wrong = await toolbox.do(
            TestOrder(weighted, CONVOLVED.replace("constant WEIGHTS = weights", "zero y"), seed=1)
        )
    assert report.verdict is Verdict.PASS, report.message
    assert not compiled.diagnostics
    assert wrong.verdict is Verdict.WRONG_RESULT


@pytest.mark.parametrize(
    ("directive", "said"),
    [
        ("constant WEIGHTS = nothing", "expected an input (x, weights), found `nothing`"),
        ("constant WEIGHTS = y", "expected an input (x, weights), found `y`"),
        ("constant OTHER = weights", "`__constant__ TYPE OTHER[SIZE];`"),
        ("constant WEIGHTS", "expected `constant NAME = argument`"),
    ],
)
async def test_a_constant_array_that_cannot_be_filled_is_said(
    directive: str, said: str, weighted: Task
) -> None:
    text = CONVOLVED.replace("constant WEIGHTS = weights", directive)
    async with in_process.toolbox(in_process.frozen_once()) as toolbox:
        report = await toolbox.do(CompileOrder(weighted, text))
    assert report.verdict is Verdict.REJECTED
    assert said in report.message


async def test_options_reach_the_compiler_and_macros_the_code() -> None:
    text = NEGATIVE_SKIPPED.replace(
        "zero y", "options --use_fast_math -DLEAST=0 -D MOST=9 -ftz=true"
    ).replace(
        "if (i < n && x[i] > 0.0f) y[i] = x[i];", "if (i < n) y[i] = x[i] > LEAST ? x[i] : float(LEAST);"
    )
    request = compile_request(parse(text), RELU, {"n": 10}, None, "sm_90")
    assert request.options == ("--use_fast_math", "--ftz=true")
    assert request.defines == (("LEAST", "0"), ("MOST", "9"))
    assert replace(request, options=()) != request
    async with in_process.toolbox(in_process.frozen_once()) as toolbox:
        report = await toolbox.do(TestOrder(RELU, text, seed=1))
    assert report.verdict is Verdict.PASS, report.message
