"""Graphs become references that read as a person would write them, or are refused by operator and line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.importing.graphs import operators
from agent.importing.graphs.drafts import draft
from agent.importing.graphs.translation import OPERATORS, NotTranslated
from sandbox.torch_graphs.graph import ArgumentKind, GraphArgument, GraphInput, GraphTensor, InputOrigin
from tests.agent.importing.exported_graphs import Named, argument, given, graph, node

assert operators


def computed(text: str, **inputs: Any) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    return namespace["reference"](**inputs)


def test_a_linear_layer_with_relu_is_two_lines_of_numpy_with_the_files_names_for_sizes() -> None:
    found = draft(
        graph(
            [given("x", "s0, s1"), given("w", "s2, s1"), given("b", "s2")],
            [
                node("linear", "linear.default", Named("x"), Named("w"), Named("b"), shape="s0, s2"),
                node("relu", "relu.default", Named("linear"), shape="s0, s2"),
            ],
            ["relu"],
            s0=64, s1=128, s2=96,
        ),
        "A layer.",
    )  # fmt: skip
    assert "    linear = x @ w.T + b\n    relu = np.maximum(linear, 0)\n" in found.reference
    assert [one.name for one in found.dims] == ["rows", "x_1", "w_0"]
    assert [(one.name, one.role, one.shape) for one in found.arguments][-1] == ("out", "out", ("rows", "w_0"))
    assert found.flops == "2 * rows * w_0 * x_1 + rows * w_0"
    x, w, b = np.ones((2, 3)), -np.ones((4, 3)), np.full(4, 3.5)
    assert (computed(found.reference, x=x, w=w, b=b, rows=2, x_1=3, w_0=4)["out"] == 0.5).all()


def test_what_has_no_translation_is_named_with_its_line() -> None:
    strange = graph(
        [given("x", "s0")], [node("f", "fft_fft.default", Named("x"), shape="s0", line=31)], ["f"], s0=64
    )
    with pytest.raises(NotTranslated, match="operator fft_fft: it has no translation into NumPy") as refused:
        draft(strange, "")
    assert refused.value.line == 31


@pytest.mark.parametrize("operator", ["fft_fft.default", "argsort.default"])
def test_an_operator_without_a_translation_is_kept_only_where_asked_and_only_if_it_can_be_repeated(
    operator: str,
) -> None:
    once = node("f", operator, Named("x"), shape="s0", line=31)
    again = replace(once, repeatable=True)
    for strange, keeps in ((once, True), (again, False)):
        with pytest.raises(NotTranslated, match="it has no translation into NumPy"):
            draft(graph([given("x", "s0")], [strange], ["f"], s0=64), "", keeps=keeps)
    found = draft(graph([given("x", "s0")], [again], ["f"], s0=64), "", keeps=True)
    assert "import numpy as np\nfrom torch_operators import aten\n" in found.reference
    assert f'aten("{operator}", x)' in found.reference
    assert [(one.name, one.line) for one in found.kept] == [(operator.removesuffix(".default"), 31)]
    assert found.flops == "rows"


def test_a_kept_operator_is_asked_with_what_it_was_called_with() -> None:
    called = replace(
        node(
            "f",
            "strange.Tensor",
            Named("x"),
            2,
            2.0,
            [None, Named("x")],
            True,
            "mean",
            float("inf"),
            shape="s0",
        ),
        keywords={"dtype": argument("float32"), "pin_memory": argument(False)},
        repeatable=True,
    )
    sized = GraphArgument(ArgumentKind.SIZE, "s0 // 2 + 1")
    called = replace(called, arguments=(*called.arguments, sized))
    found = draft(graph([given("x", "s0")], [called], ["f"], s0=64), "", keeps=True)
    assert (
        'f = aten("strange.Tensor", x, 2, 2.0, [None, x], True, "mean", np.inf, rows // 2 + 1, dtype="float32")\n'
        in found.reference
    )


def test_items_of_a_kept_operators_results_are_arrays_of_their_own() -> None:
    pair = replace(
        node("f", "strange.default", Named("x"), shape="s0"),
        results=(GraphTensor("float32", ("s0",)), GraphTensor("int64", ("s0",))),
        repeatable=True,
        several=True,
    )
    item = replace(node("i", "add", Named("f"), 1, shape="s0", dtype="int64"), operator="getitem")
    found = draft(graph([given("x", "s0")], [pair, item], ["i"], s0=64), "", keeps=True)
    assert '    f = aten("strange.default", x)\n    f_0 = f[0]\n    f_1 = f[1]\n' in found.reference
    assert 'return {"out": f_1}' in found.reference
    assert found.flops == "2 * rows"


def test_a_handler_that_refuses_leaves_no_line_behind() -> None:
    pool = replace(
        node(
            "f", "max_pool2d.default", Named("x"), [2, 2], [2, 2], [1, 1], [1, 1], True, shape="s0, 3, 5, 5"
        ),
        repeatable=True,
    )
    found = draft(graph([given("x", "s0, 3, 8, 8")], [pool], ["f"], s0=64), "", keeps=True)
    body = found.reference.partition("operator by operator.")[2].splitlines()[1:]
    assert [line.strip() for line in body] == [
        'f = aten("max_pool2d.default", x, [2, 2], [2, 2], [1, 1], [1, 1], True)',
        'return {"out": f}',
    ]
    assert "ceil_mode" in found.kept[0].why


def test_names_that_mean_something_to_c_or_to_a_reference_are_changed() -> None:
    found = draft(
        graph(
            [given("int", "s0"), given("np", "s0"), given("Mixed.Case", "s0")],
            [
                node("min", "add.Tensor", Named("int"), Named("np"), shape="s0"),
                node("y", "mul.Tensor", Named("min"), Named("Mixed.Case"), shape="s0"),
            ],
            ["y"],
            s0=5,
        ),
        "",
    )
    assert [one.name for one in found.arguments] == ["int_2", "np_2", "mixed_case", "out"]
    assert "min_2 = int_2 + np_2" in found.reference


def test_what_labels_count_up_to_is_no_size() -> None:
    found = draft(
        graph(
            [given("x", "s0, s1"), given("y", "s0", "int64", "integers(0, 9)")],
            [node("loss", "cross_entropy_loss.default", Named("x"), Named("y"), shape="")],
            ["loss"],
            s0=64, s1=10,
        ),
        "",
    )  # fmt: skip
    assert [one.name for one in found.dims] == ["rows"]
    assert found.arguments[0].shape == ("rows", "10")
    assert found.arguments[-1].shape == ("1",)


def test_a_mask_that_the_module_holds_is_written_out() -> None:
    held = GraphInput(
        "held_0", "mask", InputOrigin.CONSTANT, GraphTensor("float32", ("1", "4", "4")),
        values=np.tril(np.ones((4, 4))).reshape(1, 4, 4),
    )  # fmt: skip
    found = draft(
        graph(
            [held, given("x", "4, 4")],
            [node("y", "mul.Tensor", Named("x"), Named("held_0"), shape="1, 4, 4")],
            ["y"],
        ),
        "",
    )
    assert "np.where(np.tril(np.ones((4, 4), dtype=bool)), 1, 0).reshape(1, 4, 4)" in found.reference
    assert [one.name for one in found.arguments] == ["x", "out"]


def test_more_arguments_than_a_task_holds_are_refused() -> None:
    inputs = [given(f"x{number}", "s0") for number in range(40)]
    with pytest.raises(NotTranslated, match="41 arguments, parameters among them: a task holds 32"):
        draft(graph(inputs, [node("y", "relu.default", Named("x0"), shape="s0")], ["y"], s0=5), "")


def test_two_hundred_operators_are_known() -> None:
    assert len(OPERATORS) > 200


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        ("index.Tensor", ([Named("ids")],)),
        ("embedding.default", (Named("ids"),)),
        ("index_select.default", (0, Named("ids"))),
    ],
)
def test_what_indices_point_into_is_no_size(operator: str, arguments: tuple[Any, ...]) -> None:
    found = draft(
        graph(
            [given("table", "s0, s1"), given("ids", "s2", "int64", "integers(0, 40)")],
            [node("found", operator, Named("table"), *arguments, shape="s2, s1")],
            ["found"],
            s0=64, s1=8, s2=30,
        ),
        "",
    )  # fmt: skip
    assert found.pinned == {"s0": 64}
    assert next(one for one in found.arguments if one.name == "table").shape == ("64", "table_1")


@pytest.mark.parametrize("indexing", ["ij", "xy"])
def test_axes_of_a_mesh_are_repeated_along_the_others(indexing: str) -> None:
    shape = "s0, s1" if indexing == "ij" else "s1, s0"
    mesh = replace(
        node("mesh", "meshgrid.indexing", [Named("a"), Named("b")], shape=shape),
        keywords={"indexing": argument(indexing)},
        results=(GraphTensor("float32", tuple(shape.split(", "))),) * 2,
    )
    nodes = [mesh, *(node(f"m{at}", "getitem", Named("mesh"), at, shape=shape) for at in (0, 1))]
    nodes = [
        replace(one, operator=one.operator.removeprefix("aten.")) if at else one
        for at, one in enumerate(nodes)
    ]
    found = draft(graph([given("a", "s0"), given("b", "s1")], nodes, ["m0", "m1"], s0=3, s1=4), "")
    a, b = np.arange(3.0), np.arange(4.0)
    sizes = {name: size for name, size in zip(("a_0", "b_0"), (3, 4), strict=True)}
    got = computed(found.reference, a=a, b=b, **sizes)
    for mine, wanted in zip(got.values(), np.meshgrid(a, b, indexing=indexing), strict=True):  # type: ignore[arg-type]
        assert np.array_equal(mine, wanted)
