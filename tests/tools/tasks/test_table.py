"""task.toml both ways: what is written is read as the same task, and a mistake is told where it stands."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from sandbox.errors import UsageError
from tools.tasks import folder as task_folder
from tools.tasks.checking import check_spec
from tools.tasks.drafting import files_of
from tools.tasks.errors import TaskError
from tools.tasks.table import read_table
from tools.tasks.task import Case, DimLimits, Target, Task, TaskSpec

FULL = replace(
    task_folder.find("softmax"),
    deterministic=False,
    target=Target(latency_us=1.5, speedup=3.0, roofline=0.25),
)


def written(task: Task) -> str:
    return files_of(task)["task.toml"]


def spec_of(task: Task) -> TaskSpec:
    return TaskSpec(**{one.name: getattr(task, one.name) for one in fields(TaskSpec)})


@pytest.mark.parametrize(
    "task", [*task_folder.all_tasks(), replace(FULL, name="full")], ids=lambda task: task.name
)
def test_a_task_that_is_written_is_read_as_the_same(task: Task) -> None:
    spec, lines = read_table(written(task), "task.toml")
    assert spec == spec_of(task)
    check_spec(spec, lines)


@given(st.text(min_size=1).filter(lambda text: text.strip() == text and text.isprintable()))
def test_any_text_survives_being_written(summary: str) -> None:
    assert read_table(written(replace(FULL, summary=summary)), "task.toml")[0].summary == summary


@pytest.mark.parametrize(
    "summary", ['"""', "a\x7fb", "tab\tquote'", "back\\slash", "line\nline", "\U0001f600"]
)
def test_awkward_characters_survive_being_written(summary: str) -> None:
    assert read_table(written(replace(FULL, summary=summary)), "task.toml")[0].summary == summary


@pytest.mark.parametrize("task", task_folder.all_tasks(), ids=lambda task: task.name)
def test_the_same_classes_are_read_from_json(task: Task) -> None:
    adapter = TypeAdapter(TaskSpec)
    spec = spec_of(task)
    assert adapter.validate_json(adapter.dump_json(spec)) == spec


def test_an_answer_has_every_field_that_a_task_has() -> None:
    properties = TypeAdapter(TaskSpec).json_schema()["properties"]
    assert set(properties) == {one.name for one in fields(TaskSpec)}
    assert properties["arguments"]["description"] == "In the order of calls."


def test_a_mistake_in_an_inline_table_is_told_with_that_tables_line() -> None:
    first, second = FULL.arguments
    text = written(replace(FULL, arguments=(first, replace(second, dtype="fp32"))))
    line = 1 + next(number for number, line in enumerate(text.splitlines()) if "fp32" in line)
    with pytest.raises(TaskError, match=rf"^task\.toml:{line}: \[args\] dtype: expected one of float16"):
        check_spec(*read_table(text, "task.toml"))


def test_a_mistake_in_a_table_within_a_table_is_told_with_the_outer_ones_line() -> None:
    long = Case({"rows": 0, "cols": 1}, {"x": f"normal(0, {'0' * 90}1)"})
    text = written(replace(FULL, tests=(long,)))
    line = 1 + text.splitlines().index("[[test]]")
    assert "[test.dims]" in text
    with pytest.raises(
        TaskError, match=rf"^task\.toml:{line}: \[test\] dims: expected a size of at least 1 for rows"
    ):
        read_table(text, "task.toml")


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (replace(FULL, tests=(Case({"rows": 1, "cols": 1}),) * 65), "test: expected at most 64, found 65"),
        (replace(FULL, benches=(Case({"rows": 1, "cols": 1}),) * 17), "bench: expected at most 16, found 17"),
        (replace(FULL, dims=tuple(f"n{k}" for k in range(17))), "dims: expected at most 16, found 17"),
        (replace(FULL, flops="rows // (cols - 1)"), "[cost] flops: "),
    ],
    ids=["tests", "benches", "dims", "a cost without a value"],
)
def test_what_is_too_much_or_has_no_value_is_refused(task: Task, said: str) -> None:
    with pytest.raises(TaskError) as caught:
        check_spec(*read_table(written(task), "task.toml"))
    assert said in str(caught.value)


def test_trivial_outputs_and_accumulators_are_written_and_read() -> None:
    *inputs, output = FULL.arguments
    declared = replace(output, trivial=True, reason="zero by symmetry")
    task = replace(FULL, arguments=(*inputs, declared), accumulate="float16")
    spec, lines = read_table(written(task), "task.toml")
    assert spec == spec_of(task)
    check_spec(spec, lines)


@pytest.mark.parametrize(
    ("index", "change", "said"),
    [
        (0, {"trivial": True, "reason": "why"}, "trivial: expected it on outputs alone"),
        (-1, {"trivial": True}, "reason: expected a text: why this output is zero or constant"),
    ],
)
def test_what_is_trivial_is_an_output_and_says_why(index: int, change: dict[str, object], said: str) -> None:
    arguments = list(FULL.arguments)
    arguments[index] = replace(arguments[index], **change)  # pyright: ignore
    spec, lines = read_table(written(replace(FULL, arguments=tuple(arguments))), "task.toml")
    with pytest.raises(TaskError, match=said):
        check_spec(spec, lines)


LIMITED = replace(
    FULL,
    limits={"cols": DimLimits(min=2, multiple_of=2)},
    tests=(Case({"rows": 1, "cols": 2}), Case({"rows": 3, "cols": 34})),
)


def test_limits_of_dims_are_written_and_read_as_tables_of_the_dims() -> None:
    text = written(LIMITED)
    assert "[dims.rows]" in text
    spec, lines = read_table(text, "task.toml")
    assert spec == spec_of(LIMITED)
    check_spec(spec, lines)
    adapter = TypeAdapter(TaskSpec)
    assert adapter.validate_json(adapter.dump_json(spec)) == spec


def test_dims_in_one_line_may_have_limits_too() -> None:
    tabled = "dims = { rows = {}, cols = { max = 4096 } }"
    text = re.sub(r"^dims = \[.*?\]", tabled, written(FULL), count=1, flags=re.DOTALL | re.MULTILINE)
    spec, lines = read_table(text, "task.toml")
    assert spec == replace(spec_of(FULL), limits={"cols": DimLimits(max=4096)})
    check_spec(spec, lines)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("min = 2", "min = 0", r"\[dims.cols\] min: expected a whole number of at least 1, found 0"),
        ("min = 2", "mni = 2", r"\[dims.cols\] mni: expected one of min, max, .* did you mean `min`"),
        ("min = 2", "max = 1", r"\[dims.cols\] multiple_of: expected a multiple of 2 from 1 to 1"),
        ("min = 2", "min = 9\nmax = 8", r"\[dims.cols\] max: expected at least min \(9\), found 8"),
        ("min = 2", "min = 4", r"\[test\] dims: expected at least 4 \(\[dims.cols\] min\) for cols, found 2"),
        ("min = 2", "max = 9", r"\[test\] dims: expected at most 9 \(\[dims.cols\] max\) for cols, found 34"),
        (
            "min = 2\nmultiple_of = 2",
            "multiple_of = 4",
            r"\[test\] dims: expected a multiple of 4 .* found 2",
        ),
        (
            "[dims.cols]",
            "[dims]\ncols = 4\n[dims.k]",
            r"\[dims\] cols: expected a table of min, max, .* found 4",
        ),
    ],
)
def test_wrong_limits_name_the_line_the_key_and_what_was_expected(old: str, new: str, said: str) -> None:
    text = written(LIMITED)
    assert old in text
    with pytest.raises(TaskError, match=rf"^task\.toml:\d+: {said}"):
        check_spec(*read_table(text.replace(old, new), "task.toml"))


def test_a_draft_that_limits_what_is_no_dim_is_refused() -> None:
    with pytest.raises(UsageError, match=r"limits: expected only dims \(rows, cols\), found k"):
        written(replace(FULL, limits={"k": DimLimits(min=1)}))
