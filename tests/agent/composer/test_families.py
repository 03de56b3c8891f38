from typing import Any

import pytest

from agent.composer.families import (
    NotKnown,
    RowReduction,
    Transposition,
    recognise,
)

MATRIX = ("in x float32 rows, cols", "out y float32 rows, cols")
ROWS = ("in x float32 rows, cols", "out y float32 rows")
VECTOR = ("in x float32 n", "in w float32 n", "out y float32 1")
PRODUCT = ("in x float32 m, k", "in w float32 k, n", "out y float32 m, n")


def reference(expression: str) -> str:
    return f"import numpy as np\n\ndef reference(x, w, **dims):\n    return {{'y': {expression}}}\n"


@pytest.mark.parametrize(
    ("expression", "arguments", "dims", "family"),
    [
        ("x - x.mean(axis=1)[:, None]", MATRIX, "rows cols", RowReduction),
        ("x - np.log(np.exp(x).sum(-1, keepdims=True))", MATRIX, "rows cols", RowReduction),
        ("x.var(axis=-1)", ROWS, "rows cols", RowReduction),
        ("2 * x.T", ("in x float32 rows, cols", "out y float32 cols, rows"), "rows cols", Transposition),
        ("x @ w", ("in x float32 m, k", "in w float32 k", "out y float32 m"), "m k", RowReduction),
    ],
)
def test_a_task_is_recognised_by_what_it_computes(
    bench: Any, expression: str, arguments: tuple[str, ...], dims: str, family: type
) -> None:
    assert isinstance(recognise(bench.task(reference(expression), arguments, dims)), family)


@pytest.mark.parametrize(
    ("expression", "arguments", "dims", "reason"),
    [
        ("np.cumsum(x)", MATRIX, "rows cols", "line 4"),
        ("x.argmax(axis=-1)", ROWS, "rows cols", "x.argmax"),
        ("x - x.max(axis=0)", MATRIX, "rows cols", "axis 0"),
        ("x / x.sum()", MATRIX, "rows cols", "over everything"),
        ("x @ w + x.sum()", PRODUCT, "m n k", "a matrix product"),
        ("x.T + x", ("in x float32 n, n", "out y float32 n, n"), "n", "transpose combined"),
        ("np.exp(x)", ("in x uint32 n", "out y float32 n"), "n", "dtype uint32"),
        ("x[:, None]", ("in x float32 n", "out y float32 n, n"), "n", "output y has shape"),
    ],
)
def test_what_no_family_covers_is_refused_with_the_reason(
    bench: Any, expression: str, arguments: tuple[str, ...], dims: str, reason: str
) -> None:
    family = recognise(bench.task(reference(expression), arguments, dims))
    assert isinstance(family, NotKnown)
    assert reason in str(family)
    assert "configure a model with --model" in str(family)


def test_a_row_reduction_without_keepdims_is_not_mistaken_for_a_row_vector_in_a_square(bench: Any) -> None:
    square = ("in x float32 n, n", "out y float32 n, n")
    assert isinstance(recognise(bench.task(reference("x - x.max(axis=-1)"), square, "n")), NotKnown)
