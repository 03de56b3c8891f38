from __future__ import annotations

import pytest

from sandbox.plan import BufferArgument, BufferSpec, Launch, Plan, Role, ScalarArgument
from sandbox.program import Program
from tests.compiling import compiled
from tools.kernel import planning
from tools.kernel.file import KernelFileError, parse
from tools.kernel.signatures import EntryParameter, check, entries, parameters
from tools.kernel.source_signatures import source_signatures
from tools.tasks import folder as task_folder

# As NVRTC 13.0 writes them.
PTX = """\
.version 9.0
.target sm_90
.visible .entry k(
\t.param .u64 k_param_0,
\t.param .u64 .ptr .global .align 1 k_param_1,
\t.param .u32 k_param_2,
\t.param .f32 k_param_3,
\t.param .u64 k_param_4
)
.maxntid 256
{
}
.visible .entry _Z1tILi4EfEvPT0_4Pair6__half(
\t.param .u64 _Z1tILi4EfEvPT0_4Pair6__half_param_0,
\t.param .align 4 .b8 _Z1tILi4EfEvPT0_4Pair6__half_param_1[16],
\t.param .align 2 .b8 _Z1tILi4EfEvPT0_4Pair6__half_param_2[2]
)
{
}
.visible .entry _ZN2ns5emptyEv()
{
}
"""
SOURCE = """\
//@ launch k<<<1, 1>>>()
extern "C" __global__ void __launch_bounds__(256, 2) k(
    const float* __restrict__ x, int* y, int n, float a, long long m) {}
template <int N, typename T> __global__ void t(T* p, Pair s, __half h) {}
namespace ns { __global__ void empty() {} }
"""
SYMBOLS = {"k": "k", "t<4, float>": "_Z1tILi4EfEvPT0_4Pair6__half", "ns::empty": "_ZN2ns5emptyEv"}
BUFFERS = tuple(
    BufferSpec(name, Role.IN, dtype, 4)
    for name, dtype in [("f", "float32"), ("i", "int32"), ("h", "float16")]
)
FS, IS, HS = (BufferArgument(name) for name in "fih")
INT, LONG = ScalarArgument("int32", 3), ScalarArgument("int64", 3)
FLOAT, DOUBLE, HALF = (ScalarArgument(dtype, 3.0) for dtype in ("float32", "float64", "float16"))


def _check(*arguments: BufferArgument | ScalarArgument, kernel: str = "k", source: str = SOURCE) -> None:
    launch = Launch(kernel, (1, 1, 1), (1, 1, 1), 0, arguments, 1)
    program = Program("", "sm_90", PTX, b"", SYMBOLS, ())
    check(parse(source), Plan(BUFFERS, (launch,)), parameters(parse(source), program))


def _reason(*arguments: BufferArgument | ScalarArgument, kernel: str = "k", source: str = SOURCE) -> str:
    with pytest.raises(KernelFileError) as caught:
        _check(*arguments, kernel=kernel, source=source)
    assert caught.value.line == 1
    return caught.value.reason


def test_parameter_lists_are_read_from_ptx() -> None:
    found = entries(PTX)
    assert [(item.kind, item.pointer) for item in found["k"]] == [
        ("u64", False),
        ("u64", True),
        ("u32", False),
        ("f32", False),
        ("u64", False),
    ]
    assert found["_Z1tILi4EfEvPT0_4Pair6__half"][1:] == (
        EntryParameter("b8[16]", False),
        EntryParameter("b8[2]", False),
    )
    assert found["_ZN2ns5emptyEv"] == ()


def test_a_launch_that_fits_passes() -> None:
    _check(FS, IS, INT, FLOAT, LONG)
    _check(kernel="ns::empty")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            (FS, IS, INT),
            "expected 5 arguments (const float* __restrict__ x, int* y, int n, float a, long long m)",
        ),
        ((FS, IS, INT, FLOAT, LONG, INT), "found 6"),
        ((IS, IS, INT, FLOAT, LONG), "expected a float32 buffer, found `i` of int32"),
        ((FS, HS, INT, FLOAT, LONG), "argument 2 of `k` (`int* y`): expected a int32 buffer"),
        ((FS, IS, FS, FLOAT, LONG), "expected a value (.u32), found the buffer `f`"),
        (
            (FS, IS, INT, FLOAT, FS),
            "argument 5 of `k` (`long long m`): expected a value (.u64), found the buffer",
        ),
        ((INT, IS, INT, FLOAT, LONG), "expected a buffer for this pointer, found the value 3"),
        ((LONG, IS, INT, FLOAT, LONG), "expected a buffer for this pointer"),
        ((FS, LONG, INT, FLOAT, LONG), "expected a buffer for this pointer"),
        ((FS, IS, INT, INT, LONG), "expected .f32, found int32"),
        ((FS, IS, INT, DOUBLE, LONG), "expected .f32, found float64"),
        ((FS, IS, FLOAT, FLOAT, LONG), "expected .u32, found float32"),
        ((FS, IS, INT, FLOAT, INT), "expected .u64, found int32"),
    ],
)
def test_a_launch_that_does_not_fit_names_the_argument(
    arguments: tuple[BufferArgument | ScalarArgument, ...], expected: str
) -> None:
    assert expected in _reason(*arguments)


@pytest.mark.parametrize(
    ("dtype", "pointee", "fits"),
    [
        ("int64", "unsigned long long*", True),
        ("uint32", "const int*", True),
        ("float32", "unsigned*", True),
        ("float16", "unsigned short*", True),
        ("bfloat16", "ushort*", True),
        ("bool", "unsigned char*", True),
        ("int32", "float*", False),
        ("float32", "double*", False),
        ("float32", "int64_t*", False),
        ("float16", "__nv_bfloat16*", False),
        ("float32", "float4*", True),
        ("float32", "void*", True),
    ],
)
def test_a_pointer_may_look_at_a_buffer_with_another_sign_or_bit_for_bit(
    dtype: str, pointee: str, fits: bool
) -> None:
    source = SOURCE.replace("int* y", f"{pointee} y")
    buffers = (*BUFFERS, BufferSpec("b", Role.IN, dtype, 4))
    launch = Launch("k", (1, 1, 1), (1, 1, 1), 0, (FS, BufferArgument("b"), INT, FLOAT, LONG), 1)
    known = parameters(parse(source), Program("", "sm_90", PTX, b"", SYMBOLS, ()))
    if fits:
        check(parse(source), Plan(buffers, (launch,)), known)
    else:
        with pytest.raises(KernelFileError, match="buffer, found `b`"):
            check(parse(source), Plan(buffers, (launch,)), known)


def test_a_kernel_that_was_not_compiled_is_named() -> None:
    assert _reason(kernel="other") == "expected a kernel of this file, found `other`"


def test_template_pointees_are_let_through_and_structs_are_not() -> None:
    assert "expected .b8[16], found int32" in _reason(IS, INT, HALF, kernel="t<4, float>")
    assert "expected a value (.b8[16])" in _reason(HS, FS, HALF, kernel="t<4, float>")


def test_without_a_readable_source_widths_and_counts_are_still_checked() -> None:
    hidden = "//@ launch k<<<1, 1>>>()\n#define KERNEL __global__ void\nKERNEL k(const float* x) {}\n"
    _check(IS, FS, INT, FLOAT, LONG, source=hidden)
    assert "found int32" in _reason(IS, FS, INT, FLOAT, INT, source=hidden)
    assert "expected a value (.u32)" in _reason(IS, FS, FS, FLOAT, LONG, source=hidden)


@pytest.mark.parametrize(
    ("parameter", "pointees"),
    [
        ("const float* x", ("float32",)),
        ("float const *__restrict__ x", ("float32",)),
        ("double x[]", ("float64",)),
        ("const unsigned* x", ("uint32",)),
        ("unsigned long long int* x", ("uint64",)),
        ("long* x", ("int64",)),
        ("short int* x", ("int16",)),
        ("signed char* x", ("int8",)),
        ("unsigned char* x", ("uint8", "bool")),
        ("bool* x", ("bool",)),
        ("__half* x", ("float16",)),
        ("const half *x", ("float16",)),
        ("__nv_bfloat16* x", ("bfloat16",)),
        ("std::uint8_t* x", ("uint8", "bool")),
        ("real* x", ("float32",)),
        ("word* x", ("uint32",)),
        ("float4* x", ()),
        ("void* x", ()),
        ("T* x", ()),
        ("float** x", ()),
        ("cuda::std::complex<float>* x", ()),
        ("Pair* x", ()),
    ],
)
def test_pointee_types_are_read_from_the_source(parameter: str, pointees: tuple[str, ...]) -> None:
    text = f"typedef float real; using word = unsigned int;\n__global__ void k({parameter} /* , */, int n);"
    first, second = source_signatures(text)["k"]
    assert (first.pointer, first.pointees) == (True, pointees)
    assert second.pointer is False


@pytest.mark.parametrize("parameter", ["float (&x)[3]", "void (*f)(int)", "Pair p", "float& x"])
def test_what_cannot_be_read_is_not_guessed(parameter: str) -> None:
    assert source_signatures(f"__global__ void k({parameter}) {{}}")["k"][0].pointer is None


def test_a_name_with_two_signatures_is_left_out_and_a_declaration_is_not_a_second_one() -> None:
    assert source_signatures("__global__ void k(int* a); __global__ void k(float* a) {}") == {}
    assert list(source_signatures("__global__ void k(int* a); __global__ void k(int* b) {}")) == ["k"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["__global__ k(", "__global__ ", "typedef ", "using a = ", "(", "<", "/*", '"']
)
def test_hostile_source_is_read_in_little_time(piece: str) -> None:
    source_signatures(piece * (200_000 // len(piece)))


def test_every_baseline_fits_its_own_compiled_code() -> None:
    for task in task_folder.all_tasks():
        file = parse(task.baseline)
        request = planning.compile_request(file, task, task.tests[0].dims, None, "sm_90")
        program = compiled(request, assembled=False).program
        assert program is not None
        known = parameters(file, program)
        check(file, planning.plan(file, task, task.tests[0].dims, parameters=known), known)
