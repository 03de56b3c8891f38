from __future__ import annotations

import operator
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.expressions import (
    INT64_MAX,
    INT64_MIN,
    MAX_LENGTH,
    ExpressionError,
    log2,
    next_pow2,
    parse,
    split_arguments,
)

NAMES = {"n": 1000, "rows": 7, "BLOCK": 256}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ceil_div(n, BLOCK)", 4),
        ("-7 // 2", -4),
        ("-7 % 4", 1),
        ("next_pow2(n)", 1024),
        ("next_pow2(0)", 1),
        ("log2(BLOCK) + log2(1)", 8),
        ("min(n, BLOCK, rows) + max(1, 2)", 9),
        ("n > 5", 1),
        ("1 < rows < 7", 0),
        ("rows if n >= 4096 else n", 1000),
        ("0x10 + (2 * (3 - 1))", 20),
        (" 4 * BLOCK\t", 1024),
        ("9223372036854775807", INT64_MAX),
        ("-9223372036854775807 - 1", INT64_MIN),
    ],
)
def test_an_expression_has_the_value_that_python_gives_it(text: str, value: int) -> None:
    assert parse(text).evaluate(NAMES) == value


def test_only_the_chosen_branch_of_a_conditional_is_evaluated() -> None:
    assert parse("1 if rows else 1 // 0").evaluate(NAMES) == 1


def test_the_free_names_are_known_without_the_functions() -> None:
    assert parse("ceil_div(n, BLOCK) if rows > 1 else n").names == {"n", "BLOCK", "rows"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "found nothing"),
        ("   ", "found nothing"),
        ("1 / 2", "write `//`"),
        ("a ** b", "expected integers"),
        ("1.5", "expected integers"),
        ("1if 2 else 3", "expected integers"),
        ("n.bit_length()", "fractions are not in the language"),
        ("__import__('os')", "expected integers"),
        ("print(1)", "unknown function `print`"),
        ("min", "`min` is a function"),
        ("ceil_div(1)", "takes 2 arguments"),
        ("min()", "takes 1 to 16 arguments"),
        ("min(*n)", "expected integers"),
        ("n and 1", "expected integers"),
        ("not n", "expected integers"),
        ("True", "expected integers"),
        ("lambda: 1", "expected integers"),
        ("(1, 2)", "expected integers"),
        ("n in rows", "expected one of < <="),
        ("n = 1", "write `==`"),
        ("a && b", "a if c else b"),
        ("a ? b : c", "a if c else b"),
        ("1 +", "cannot read"),
        ("(1", "cannot read"),
        ("n; 1", "found ';'"),
        ("\uff4e", "expected integers"),
        ("1\n+ 1", "expected integers"),
        ("9223372036854775808", "64 bits"),
        ("007", "cannot read"),
    ],
)
def test_text_outside_the_language_is_refused_with_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(ExpressionError, match=expected.replace("(", r"\(").replace("*", r"\*")):
        parse(text)


def test_an_error_names_the_column_in_the_text_as_written() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("  1 + $")
    assert caught.value.column == 7
    assert "column 7" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 // (n - 1000)", "division by zero"),
        ("1 % 0", "division by zero"),
        ("ceil_div(1, 0)", "division by zero"),
        ("log2(0)", "at least 1"),
        ("missing + 1", "unknown name `missing`; known here: BLOCK, n, rows"),
        ("9223372036854775807 + 1", "64 bits"),
        ("-9223372036854775807 - 2", "64 bits"),
        ("next_pow2(9223372036854775807)", "64 bits"),
        ("9223372036854775807 * 9223372036854775807 // 9223372036854775807", "64 bits"),
    ],
)
def test_an_expression_without_a_value_says_why(text: str, expected: str) -> None:
    expression = parse(text)
    with pytest.raises(ExpressionError) as caught:
        expression.evaluate(NAMES)
    assert expected in str(caught.value)


def test_a_name_that_does_not_fit_in_64_bits_is_refused() -> None:
    with pytest.raises(ExpressionError, match="64 bits"):
        parse("n").evaluate({"n": 2**63})


@pytest.mark.parametrize(
    "text",
    [
        "-" * 400 + "1",
        "(" * 200 + "1" + ")" * 200,
        "(" * MAX_LENGTH,
        "1" + "+1" * 240,
        "1 if 1 else " * 40 + "1",
        "min(" * 100 + "1" + ")" * 100,
        "1" * MAX_LENGTH,
        "1" * (MAX_LENGTH + 1),
        "a<" * 249 + "a",
    ],
)
def test_deep_or_large_text_is_refused_or_evaluated_but_never_crashes(text: str) -> None:
    try:
        parse(text).evaluate({"a": 1})
    except ExpressionError:
        return


def _value(text: str, names: dict[str, int]) -> int | None:
    try:
        return parse(text).evaluate(names)
    except ExpressionError:
        return None


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    _value(text, {})


_ALPHABET = st.sampled_from(
    [*"n1290 +-*/%(),<>=!", "//", " if ", " else ", "min(", "ceil_div(", "log2(", "<="]
)


@given(st.lists(_ALPHABET, max_size=40).map("".join))
def test_any_jumble_of_the_languages_own_tokens_has_a_64_bit_value_or_is_refused(text: str) -> None:
    assert INT64_MIN <= (_value(text, {"n": 3}) or 0) <= INT64_MAX


Meaning = Callable[[dict[str, int]], int]
Pair = tuple[str, Meaning]


def _binary(left: Pair, op: tuple[str, Callable[[int, int], int]], right: Pair) -> Pair:
    return f"({left[0]} {op[0]} {right[0]})", lambda names: int(op[1](left[1](names), right[1](names)))


def _call(name: str, function: Callable[..., int], arguments: list[Pair]) -> Pair:
    inside = ", ".join(text for text, _ in arguments)
    return f"{name}({inside})", lambda names: function(*(meaning(names) for _, meaning in arguments))


def _conditional(test: Pair, then: Pair, other: Pair) -> Pair:
    text = f"({then[0]} if {test[0]} else {other[0]})"
    return text, lambda names: then[1](names) if test[1](names) else other[1](names)


_OPERATORS = [
    *[("+", operator.add), ("-", operator.sub), ("*", operator.mul), ("//", operator.floordiv)],
    *[("%", operator.mod), ("<", operator.lt), ("<=", operator.le), ("==", operator.eq)],
    *[("!=", operator.ne), (">", operator.gt), (">=", operator.ge)],
]


def _nodes(children: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    two = st.tuples(children, children).map(list)
    return st.one_of(
        st.builds(_binary, children, st.sampled_from(_OPERATORS), children),
        st.builds(_conditional, children, children, children),
        two.map(lambda pair: _call("min", min, pair)),
        two.map(lambda pair: _call("max", max, pair)),
        two.map(lambda pair: _call("ceil_div", lambda a, b: -(-a // b), pair)),
        children.map(lambda one: _call("-", operator.neg, [one])),
    )


_LEAVES = st.integers(0, 5000).map(lambda value: (str(value), lambda names: value)) | st.sampled_from(
    ["n", "m"]
).map(lambda name: (name, operator.itemgetter(name)))


@given(st.recursive(_LEAVES, _nodes, max_leaves=8), st.integers(-100, 100), st.integers(-3, 3))
def test_every_expression_agrees_with_python(pair: Pair, n: int, m: int) -> None:
    text, meaning = pair
    names = {"n": n, "m": m}
    try:
        wanted = meaning(names)
    except ZeroDivisionError:
        assert _value(text, names) is None
        return
    if len(text) <= MAX_LENGTH and abs(wanted) < 2**40:  # beyond, a value on the way may not fit
        assert _value(text, names) in (wanted, None)
        if max(map(abs, (n, m))) < 10 and "*" not in text:
            assert _value(text, names) == wanted


@given(st.integers(-(2**62), 2**62))
def test_next_pow2_and_log2_bracket_their_value(value: int) -> None:
    power = next_pow2(value)
    assert power & (power - 1) == 0
    assert power >= value
    assert power == 1 or power // 2 < value
    if value > 0:
        assert 2 ** log2(value) <= value < 2 ** (log2(value) + 1)


def test_arguments_are_split_at_the_commas_outside_brackets() -> None:
    assert split_arguments("a, (b, c), f(d, e[1, 2])") == ["a", "(b, c)", "f(d, e[1, 2])"]
    assert split_arguments("  ") == []
    assert split_arguments("a,") == ["a", ""]
