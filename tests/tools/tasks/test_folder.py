from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.kernel.file import KernelFileError
from tools.tasks import folder as task_folder
from tools.tasks.catalogue import TaskCatalogue
from tools.tasks.checking import check_spec
from tools.tasks.errors import TaskNotFoundError
from tools.tasks.table import read_table
from tools.tasks.task import Case, Target, TaskArgument, TaskError, argument_size

TOML = """\
name = "scale"
summary = "Every element times a factor."
dims = ["n"]

[[args]]
name = "x"
role = "in"
dtype = "float32"
shape = "n"
data = "normal(0, 1)"

[[args]]
name = "factor"
role = "scalar"
dtype = "float32"
data = "constant(2)"

[[args]]
name = "y"
role = "out"
dtype = "float32"
shape = "n, 2 * n"

[cost]
flops = "n"
bytes = "8 * n"

[[test]]
dims = { n = 7 }
data = { x = "ties(3)" }

[[test]]
dims = { n = 33 }

[[bench]]
dims = { n = 1000 }

[target]
speedup = 5
"""
BASELINE = (
    "//@ launch k<<<n, 1>>>(x, factor, y)\n__global__ void k(const float* x, float factor, float* y) {}\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "task.toml").write_text(TOML)
    (tmp_path / "reference.py").write_text("raise SystemExit('reading a task must not run it')\n")
    (tmp_path / "baseline.cu").write_text(BASELINE)
    return tmp_path


def test_a_task_is_read_with_all_its_parts(folder: Path) -> None:
    task = task_folder.load(folder)
    assert (task.name, task.dims, task.deterministic) == ("scale", ("n",), True)
    assert task.arguments == (
        TaskArgument("x", "in", "float32", ("n",), "normal(0, 1)"),
        TaskArgument("factor", "scalar", "float32", (), "constant(2)"),
        TaskArgument("y", "out", "float32", ("n", "2 * n")),
    )
    assert task.tests == (Case({"n": 7}, {"x": "ties(3)"}), Case({"n": 33}))
    assert task.benches == (Case({"n": 1000}),)
    assert task.target == Target(speedup=5.0)
    assert task.baseline == BASELINE
    assert argument_size(task.arguments[2], {"n": 3}) == (3, 6)
    assert argument_size(task.arguments[1], {"n": 3}) == ()


def test_the_sha_changes_with_every_file_and_with_nothing_else(folder: Path, tmp_path_factory) -> None:
    first = task_folder.load(folder).sha
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("copy") / "elsewhere")
    assert task_folder.load(copy).sha == first
    for name in ("task.toml", "reference.py", "baseline.cu"):
        text = (folder / name).read_text()
        (folder / name).write_text(text + "\n")
        assert task_folder.load(folder).sha != first
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ('name = "scale"', 'name = "sc ale"', 1, "expected a name of letters"),
        ('name = "scale"', "name = 3", 1, "expected a text, found 3"),
        ('name = "scale"\n', "", 1, "expected a text, found nothing"),
        ('dims = ["n"]', "dims = []", 3, "expected a list of names"),
        ('dims = ["n"]', 'dims = ["N"]', 3, "lower-case names"),
        ('dims = ["n"]', 'dims = ["n", "n"]', 3, "found `n` twice"),
        ('dims = ["n"]', 'dims = ["min"]', 3, "`min` is a function"),
        ('dims = ["n"]', 'dims = ["n"]\ndeterminstic = true', 4, "did you mean `deterministic`?"),
        ('dims = ["n"]', 'dims = ["n"]\ndeterministic = 1', 4, "expected true or false"),
        ('dims = ["n"]', "dims = [", 5, "expected TOML"),
        ('name = "factor"', 'name = "x"', 13, "found `x` twice"),
        ('name = "factor"', 'name = "n"', 13, "found `n` twice"),
        ('role = "scalar"', 'role = "const"', 14, "expected one of in, out, inout, scalar"),
        ('role = "scalar"', 'role = "scalar"\nshape = "n"', 15, "no shape for a scalar"),
        ('role = "in"', 'rôle = "in"', 7, "expected TOML"),
        ('role = "out"', 'role = "in"', 18, "expected a text, found nothing"),
        ('dtype = "float32"\nshape = "n"', 'dtype = "fp32"\nshape = "n"', 8, "expected one of float16"),
        ('shape = "n"', 'shape = "n, k"', 9, "expected only dims (n), found `k`"),
        ('shape = "n"', 'shape = "n / 2"', 9, "write `//`"),
        ('shape = "n"', 'shape = "n, "', 9, "found nothing"),
        ('data = "normal(0, 1)"', 'data = "normal(0)"', 10, "takes 2 numbers"),
        ('data = "normal(0, 1)"\n', "", 5, "expected a text, found nothing"),
        ('shape = "n, 2 * n"', 'shape = "n, 2 * n"\ndata = "tiny()"', 23, "no data for an output"),
        ('shape = "n, 2 * n"', 'shape = "n, n - 7"', 29, "sides of at least 1"),
        ('flops = "n"', 'flops = "n *"', 25, "cannot read"),
        ('flops = "n"', "", 24, "expected a text, found nothing"),
        ('flops = "n"', 'flops = "n - 100"', 25, "at least 0"),
        ("[cost]", "[costs]", 24, "did you mean `cost`?"),
        ("dims = { n = 33 }", "dims = { n = 0 }", 33, "a size of at least 1 for n, found 0"),
        ("dims = { n = 33 }", "dims = { n = 9000 }", 33, "large sizes belong into [[bench]]"),
        ("dims = { n = 33 }", "dims = { n = true }", 33, "a size of at least 1 for n"),
        ("dims = { n = 33 }", "dims = { }", 33, "a size of at least 1 for n, found nothing"),
        ("dims = { n = 33 }", "dims = { n = 33, m = 1 }", 33, "expected only n, found `m`"),
        ("dims = { n = 33 }", "dims = 3", 33, "expected a table"),
        (
            "dims = { n = 33 }",
            'dims = { n = 33 }\ndata = { y = "tiny()" }',
            34,
            "expected an input (x, factor)",
        ),
        ("dims = { n = 33 }", "dims = { n = 33 }\ndata = { x = 3 }", 34, "a generator call for x"),
        ("dims = { n = 33 }", 'dims = { n = 33 }\ndata = { x = "nope()" }', 34, "expected a call of one of"),
        ("[[bench]]", "[[benches]]", 35, "did you mean `bench`?"),
        ("[[bench]]\ndims = { n = 1000 }", "", 1, "at least one [[bench]] table"),
        ("speedup = 5", "speedup = 0", 39, "expected a number above 0"),
        ("speedup = 5", "speedup = nan", 39, "expected a number above 0"),
        ("speedup = 5", "roofline = 1.5", 39, "at most 1"),
        ("speedup = 5", "seedup = 5", 39, "did you mean `speedup`?"),
    ],
)
def test_a_mistake_in_task_toml_names_file_line_and_what_was_expected(
    folder: Path, old: str, new: str, line: int, expected: str
) -> None:
    assert TOML.count(old) >= 1
    path = folder / "task.toml"
    path.write_text(TOML.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TaskError) as caught:
        task_folder.load(folder)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert expected in str(caught.value)


def test_a_baseline_that_does_not_suit_the_task_names_its_file_and_line(folder: Path) -> None:
    (folder / "baseline.cu").write_text("//@ launch k<<<1, 1>>>(z)\n")
    with pytest.raises(KernelFileError) as caught:
        task_folder.load(folder)
    assert str(caught.value).startswith(f"{folder / 'baseline.cu'}:1: ")


@pytest.mark.parametrize("name", ["task.toml", "reference.py", "baseline.cu"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(TaskError, match=f"expected a file {name}"):
        task_folder.load(folder)


def test_a_file_that_is_not_text_is_named(folder: Path) -> None:
    (folder / "reference.py").write_bytes(b"x = 1\n\xff")
    with pytest.raises(TaskError, match=r"reference.py:2: expected UTF-8 text, found byte 0xff"):
        task_folder.load(folder)


def test_a_huge_file_is_refused(folder: Path) -> None:
    (folder / "task.toml").write_bytes(b"#" * 300_000)
    with pytest.raises(TaskError, match="at most 256 KiB"):
        task_folder.load(folder)


def test_a_task_is_found_by_name_from_any_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert task_folder.find("softmax").name == "softmax"


def test_a_task_is_found_by_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert task_folder.find(folder).name == "scale"
    monkeypatch.chdir(folder.parent)
    assert task_folder.find(folder.name).folder == folder.resolve()


def test_an_unknown_name_gives_the_close_ones_and_the_list() -> None:
    with pytest.raises(TaskError) as caught:
        task_folder.find("sofmax")
    assert "Did you mean softmax?" in str(caught.value)
    assert "vector_add" in str(caught.value)


@pytest.mark.parametrize("name", ["", "nothing-like-it", "\0", "a" * 5000, "~nobody-of-that-name"])
def test_any_other_name_is_a_task_error(name: str) -> None:
    with pytest.raises(TaskError):
        task_folder.find(name)


def test_an_installed_package_finds_the_tasks_it_carries(tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "site" / "tools"
    shutil.copytree(task_folder.find("relu").folder, package / "bundled_tasks" / "relu")
    monkeypatch.setattr(task_folder, "_PACKAGE", package)
    assert task_folder.names() == ["relu"]
    assert task_folder.find("relu").folder == package / "bundled_tasks" / "relu"


def _is_read_or_refused(text: str) -> bool:
    try:
        check_spec(*read_table(text, "task.toml"))
    except TaskError as error:
        return str(error).startswith("task.toml:")
    return True


@given(st.text(max_size=200))
def test_any_text_is_a_task_table_or_a_task_error(text: str) -> None:
    assert _is_read_or_refused(text)


_VALUES = st.sampled_from(
    ['"n"', "3", "-1", "true", "[]", '["n"]', "{}", "{ n = 1 }", '"in"', "nan", "1979-05-27", '""']
)


@given(st.integers(0, TOML.count("\n") - 1), _VALUES)
def test_any_value_in_any_place_is_read_or_refused(index: int, value: str) -> None:
    lines = TOML.splitlines()
    key, equals, _ = lines[index].partition(" = ")
    lines[index] = f"{key} = {value}" if equals else f"extra = {value}"
    assert _is_read_or_refused("\n".join(lines))


def test_a_folder_of_ones_own_adds_tasks_and_hides_neither_bundled_ones_nor_drafts(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = tmp_path_factory.mktemp("own")
    for name in ("scale", "softmax", ".draft-1"):
        shutil.copytree(folder, own / name)
    (own / "broken").mkdir()
    (own / "broken" / "task.toml").write_text("no task")
    catalogue = TaskCatalogue(own, paths=False)
    assert set(catalogue.names()) - set(task_folder.names()) == {"scale", "broken"}
    assert [task.name for task in catalogue.tasks()] == sorted([*task_folder.names(), "scale"])
    assert catalogue.find("scale").folder == (own / "scale").resolve()
    assert catalogue.find("softmax").folder == task_folder.find("softmax").folder
    with pytest.raises(TaskNotFoundError, match="no task is called") as raised:
        catalogue.find(str(own / "scale"))
    assert raised.value.known == tuple(catalogue.names())
