import ast
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.composer.ir import Binary, Leaf, Literal, Reduce, Unary
from agent.composer.reading import ReadingError, read

HEAD = "import numpy as np\n\n"


def value(expression: str) -> object:
    text = f"{HEAD}def reference(x, w, n):\n    return {{'y': {expression}}}\n"
    return read(text, ["x", "w"], ["n"]).outputs[0][1]


def test_reads_arithmetic_of_inputs() -> None:
    assert value("x + 2 * w") == Binary(Leaf("x"), Binary(Literal(2), Leaf("w"), "*"), "+")


def test_functions_and_methods_of_the_same_name_read_alike() -> None:
    assert value("x.sum(axis=-1)") == value("np.sum(x, axis=-1)") == Reduce(Leaf("x"), "sum", -1)


def test_constants_are_folded_in_double_precision() -> None:
    assert value("np.sqrt(2 / np.pi)") == Literal(float(np.sqrt(2 / np.pi)))


def test_small_powers_become_products() -> None:
    assert value("x ** 2") == Binary(Leaf("x"), Leaf("x"), "*")
    assert value("x ** 0.5") == Unary(Leaf("x"), "sqrt")


def test_names_given_by_the_reference_are_kept_as_labels() -> None:
    text = f"{HEAD}EPS = 1e-5\ndef reference(x, n):\n    shifted = x + EPS\n    return dict(y=shifted)\n"
    assert [name for _, name in read(text, ["x"], ["n"]).labels] == ["shifted"]


@pytest.mark.parametrize(
    ("body", "line", "said"),
    [
        ("for i in range(n):\n        pass", 4, "`For` is not understood"),
        ("y = np.cumsum(x)", 4, "np.cumsum(x)"),
        ("y = z", 4, "`z` is not known here"),
        ("y = x[0]", 4, "indexing"),
        ("y = x\n    x += 1", 5, "changed in place"),
        ("y = np.sum(x, where=w)", 4, "the option where"),
        ("y = open('f')", 4, "open"),
        ("y = x.astype(np.int32)", 4, "only conversions to float32 and float64"),
    ],
)
def test_says_what_is_not_understood_and_at_which_line(body: str, line: int, said: str) -> None:
    text = f"{HEAD}def reference(x, w, n):\n    {body}\n    return {{'y': y}}\n"
    with pytest.raises(ReadingError) as raised:
        read(text, ["x", "w"], ["n"])
    assert f"line {line}" in str(raised.value)
    assert said in str(raised.value)


def test_a_reference_without_the_function_is_refused() -> None:
    with pytest.raises(ReadingError, match="no function `reference`"):
        read("x = 1", [], [])


def test_values_that_double_in_size_with_every_line_are_refused_at_once() -> None:
    lines = "".join("    x = x * x\n".replace("x =", "y =").replace("x * x", "y * y") for _ in range(60))
    text = f"def reference(x, n):\n    y = x\n{lines}    return {{'y': y}}\n"
    with pytest.raises(ReadingError, match="too large"):
        read(text, ["x"], ["n"])


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ReadingError):
        value("(" * 90 + "x" + ")" * 90 + " + x" * 3000)


@given(st.text())
def test_any_text_is_read_or_refused_as_text(text: str) -> None:
    with suppress(ReadingError):
        read(text, ["x"], ["n"])


PIECES = r"""
x w n np 1 2.5 'a' None True ( ) [ ] { } : , . + - * / ** @ == < ~ not and lambda if else for in def return
np.exp( np.sum( .sum(
axis=-1 keepdims=True .T .shape .reshape( x[:,None] yield await := *x **x f'{x}' \d 0xffff
"""


@given(st.lists(st.sampled_from([*PIECES.split(), "\n    "]), max_size=25))
def test_any_python_in_the_function_is_read_or_refused(pieces: list[str]) -> None:
    text = f"{HEAD}def reference(x, w, n):\n    y = {' '.join(pieces)}\n    return {{'y': y}}\n"
    with suppress(ReadingError):
        read(text, ["x", "w"], ["n"])


def test_nothing_of_the_reference_is_run() -> None:
    text = "import numpy as np\nraise SystemExit\ndef reference(x, n):\n    return {'y': np.exp(x)}\n"
    ast.parse(text)
    assert read(text, ["x"], ["n"]).outputs == (("y", Unary(Leaf("x"), "exp")),)
