"""Numbers of a launch line travel in the parameters' own types, or the line says why they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.plan import BufferArgument, ScalarArgument, StructArgument
from tools.kernel.file import KernelFileError, parse
from tools.kernel.passing import CompiledParameter, UnfitError, pass_number
from tools.kernel.planning import plan
from tools.kernel.structs import POINTER, Member, StructLayout, layouts, vector
from tools.tasks.task import Case, Target, Task, TaskArgument

TASK = Task(
    "t", "", ("n",),
    (TaskArgument("x", "in", "int32", ("n",), "integers(0, 9)"), TaskArgument("y", "out", "int32", ("n",))),
    (Case({"n": 9}),), (), "n", "n", True, Target(), folder=Path(), sha="", reference="", baseline="",
)  # fmt: skip


def parameter(kind: str, dtype: str | None = None, pointer: bool | None = False) -> CompiledParameter:
    return CompiledParameter("p", kind, pointer, dtype=dtype)


def passed(text: str, *wanted: CompiledParameter) -> tuple[object, ...]:
    file = parse(f"//@ launch k<<<1, 1>>>({text})\n__global__ void k();")
    return plan(file, TASK, {"n": 9}, parameters={"k": wanted}).launches[0].arguments


@pytest.mark.parametrize(
    ("text", "wanted", "expected"),
    [
        ("1", parameter("u8", "bool"), ScalarArgument("bool", 1)),
        ("7", parameter("u8", "bool"), ScalarArgument("bool", 1)),
        ("200", parameter("u8"), ScalarArgument("uint8", 200)),
        ("0 - 3", parameter("u8"), ScalarArgument("int8", -3)),
        ("n", parameter("u16", "int16"), ScalarArgument("int16", 9)),
        ("n", parameter("u32"), ScalarArgument("int32", 9)),
        ("4000000000", parameter("u32"), ScalarArgument("uint32", 4000000000)),
        ("n * 3000000000", parameter("u64", "int64"), ScalarArgument("int64", 27000000000)),
        ("n", parameter("f32", "float32"), ScalarArgument("float32", 9.0)),
        ("1.5", parameter("f64"), ScalarArgument("float64", 1.5)),
        ("1.5", parameter("b8[2]", "float16"), ScalarArgument("float16", 1.5)),
        ("f32(1.0)", parameter("b8[2]", "float16"), ScalarArgument("float16", 1.0)),
        ("bf16(2)", parameter("b8[2]"), ScalarArgument("bfloat16", 2.0)),
        ("u64(5)", parameter("u64"), ScalarArgument("uint64", 5)),
        ("null", parameter("u64", pointer=True), ScalarArgument("uint64", 0)),
        ("0", parameter("u64", pointer=True), ScalarArgument("uint64", 0)),
        ("x", parameter("u64", pointer=True), BufferArgument("x")),
    ],
)
def test_a_number_takes_the_type_of_its_parameter(
    text: str, wanted: CompiledParameter, expected: object
) -> None:
    assert passed(text, wanted) == (expected,)


@pytest.mark.parametrize(
    ("text", "wanted", "reason"),
    [
        ("300", parameter("u8", "uint8"), "fits in uint8, found 300"),
        ("0 - 1", parameter("u32", "uint32"), "fits in uint32, found -1"),
        ("5000000000", parameter("u32"), "found 5000000000"),
        ("1.5", parameter("u32"), "expected an integer (int32), found 1.5"),
        ("f32(2)", parameter("u32"), "expected an integer (.u32), found float32"),
        ("1e6", parameter("b8[2]", "float16"), "a finite float16"),
        ("3", parameter("u64", pointer=True), "a buffer or `null` for this pointer, found the value 3"),
        ("1", parameter("b8[2]"), "f16(...) or bf16(...)"),
        ("1", parameter("b8[24]"), "make it plain"),
        ("{x, 1}", parameter("u32"), "expected no struct here"),
    ],
)
def test_what_does_not_fit_is_said_with_its_line(text: str, wanted: CompiledParameter, reason: str) -> None:
    with pytest.raises(KernelFileError) as caught:
        passed(text, wanted)
    assert caught.value.line == 1
    assert reason in caught.value.reason


def test_a_struct_is_passed_by_its_members_with_the_compilers_padding() -> None:
    source = "struct Params { const int* x; float scale; int* __restrict__ y, *z; short n[2]; bool last; };"
    layout = layouts(source, {"int": "int32", "float": "float32", "short": "int16", "bool": "bool"})["Params"]
    assert (layout.size, layout.alignment) == (40, 8)
    wanted = CompiledParameter("Params p", "b8[40]", False, layout=layout)
    (found,) = passed("{x, n, y, null, 1, 2, 1}", wanted)
    assert found == StructArgument(
        40,
        (
            (0, BufferArgument("x")), (8, ScalarArgument("float32", 9.0)), (16, BufferArgument("y")),
            (24, ScalarArgument("uint64", 0)), (32, ScalarArgument("int16", 1)), (34, ScalarArgument("int16", 2)),
            (36, ScalarArgument("bool", 1)),
        ),
    )  # fmt: skip
    with pytest.raises(KernelFileError, match="expected 7 members"):
        passed("{x, n}", wanted)
    with pytest.raises(KernelFileError, match="expected a float32 as member, found `y`"):
        passed("{x, y, y, null, 1, 2, 1}", wanted)


@pytest.mark.parametrize(
    "body",
    ["int a; A() : a(1) {}", "int a : 3;", "virtual void f();", "T value;", "static int a;", "int a = 3;"],
)
def test_a_struct_that_is_more_than_members_is_not_laid_out(body: str) -> None:
    assert layouts(f"struct A {{ {body} }};", {"int": "int32"}) == {}


def test_structs_nest_and_typedefs_name_them() -> None:
    found = layouts("typedef struct { int a; double b; } In; struct Out { char c; In in; float4 v; };",
                    {"int": "int32", "double": "float64", "char": "int8"})  # fmt: skip
    assert found["In"] == StructLayout((Member(0, "int32"), Member(8, "float64")), 16, 8)
    assert [member.offset for member in found["Out"].members] == [0, 8, 16, 32, 36, 40, 44]
    assert found["Out"].size == 48


@pytest.mark.parametrize(
    ("name", "size", "alignment"),
    [("float4", 16, 16), ("int3", 12, 4), ("uchar2", 2, 2), ("double2", 16, 16)],
)
def test_vector_types_have_cudas_sizes(name: str, size: int, alignment: int) -> None:
    found = vector(name)
    assert found is not None
    assert (found.size, found.alignment) == (size, alignment)
    assert POINTER not in {member.dtype for member in found.members}


def test_an_unfit_number_is_an_error_of_its_own() -> None:
    with pytest.raises(UnfitError, match="two bytes"):
        pass_number(1, None, parameter("b8[2]"))
