"""Captured data: a file in a task's folder, held against the task, and what a case of it is filled with."""

from __future__ import annotations

import contextlib
import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from agent.mcp.access.http import LARGEST_BODY
from sandbox.errors import UsageError
from tests.agent.search_fakes import write_task
from tools.mcp.drafts import NewTask
from tools.mcp.reading import text_of
from tools.mcp.task_form import TaskChanges
from tools.mcp.translation import describe_task
from tools.sent_orders import SentOrder, received, sent
from tools.tasks.captured import MAX_BYTES, all_captured, as_text, pack, unpack
from tools.tasks.drafting import write_folder
from tools.tasks.errors import TaskError
from tools.tasks.folder import load
from tools.tasks.generators import inputs_for, scalars_for
from tools.tasks.task import Task
from tools.toolbox import TestOrder

X = np.linspace(-2, 3, 17, dtype=np.float32)


def captured(folder: Path, data: bytes, more: str = "", n: int = 17) -> Path:
    """Write the small task with a captured case, and return its folder."""
    digest = hashlib.sha256(data).hexdigest()
    said = f'\n[[captured]]\ndims = {{ n = {n} }}\nfile = "x.npz"\nsha256 = "{digest}"\n{more}'
    write_task(folder, said)
    (folder / "x.npz").write_bytes(data)
    return folder


def task_of(folder: Path, **arrays: Any) -> Task:
    return load(captured(folder, pack(arrays)))


def test_a_case_is_filled_with_what_was_captured_whatever_the_seed(tmp_path: Path) -> None:
    task = task_of(tmp_path, x=X)
    [case] = task.captured
    for seed in (1, 2):
        assert np.array_equal(inputs_for(task, case, seed)["x"], X)
    assert all_captured(task, case)
    assert not all_captured(task, task.tests[0])


def test_a_file_that_numpy_wrote_is_read_too(tmp_path: Path) -> None:
    written = io.BytesIO()
    np.savez_compressed(written, x=X)
    task = load(captured(tmp_path, written.getvalue()))
    assert np.array_equal(inputs_for(task, task.captured[0], 0)["x"], X)


def test_tests_and_sizes_are_those_of_the_task_without_it(tmp_path: Path) -> None:
    plain, task = load(write_task(tmp_path / "plain")), task_of(tmp_path / "captured", x=X)
    assert (task.tests, task.benches) == (plain.tests, plain.benches)
    assert task.judged_cases == (*plain.tests, *task.captured)
    assert task.sha != plain.sha


def test_other_data_are_another_task(tmp_path: Path) -> None:
    assert task_of(tmp_path / "one", x=X).sha != task_of(tmp_path / "two", x=X + 1).sha


def test_the_same_arrays_are_the_same_file() -> None:
    arrays = {"x": X, "b": np.arange(6, dtype=ml_dtypes.bfloat16).reshape(2, 3)}
    assert pack(arrays) == pack(arrays)
    found = unpack(pack(arrays))
    assert np.array_equal(found["x"], X)
    assert np.array_equal(found["b"].view(ml_dtypes.bfloat16), arrays["b"])


def _nan() -> bytes:
    x = X.copy()
    x[[3, 5]] = np.nan
    return pack({"x": x})


def _pickled() -> bytes:
    written = io.BytesIO()
    np.savez(written, x=np.array([{"a": 1}], dtype=object))
    return written.getvalue()


def _bomb() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(MAX_BYTES + 1))
    return written.getvalue()


def _lying_header() -> bytes:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("x.npy", member)
    return written.getvalue()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: pack({"x": X.astype(np.float64)}), "expected float32 for `x`, found float64"),
        (lambda: pack({"x": X[:16]}), r"expected shape \[17\] for `x`, found \[16\]"),
        (lambda: pack({}), "expected an array `x`, found nothing; say in data what draws it"),
        (lambda: pack({"x": X, "z": X}), r"expected arrays for inputs \(x\), found `z`"),
        (lambda: pack({"x": X, "y": X}), r"expected arrays for inputs \(x\), found `y`"),
        (_nan, r"expected numbers in `x`, found NaN in 2 places, the first at \[3\]"),
        (_pickled, "expected plain numbers, found dtype object"),
        (_bomb, "expected at most 2 MiB of arrays"),
        (_lying_header, "expected an array of shape"),
        (lambda: b"no zip", "expected a .npz file"),
        (lambda: pack({"x": X})[:-30], "expected a .npz file"),
        (lambda: bytes(MAX_BYTES + 1), "expected at most 2 MiB of captured files"),
    ],
)
def test_what_cannot_be_a_case_is_told_with_its_line(
    tmp_path: Path, made: Callable[[], bytes], said: str
) -> None:
    with pytest.raises(TaskError, match=rf"task\.toml:\d+: \[captured\] file: .*{said}"):
        load(captured(tmp_path, made()))


def test_a_file_that_changed_is_told_with_the_hash_it_has(tmp_path: Path) -> None:
    folder, other = captured(tmp_path, pack({"x": X})), pack({"x": X + 1})
    (folder / "x.npz").write_bytes(other)
    with pytest.raises(
        TaskError, match=f'expected "{hashlib.sha256(other).hexdigest()}", which is that of x.npz'
    ):
        load(folder)


@pytest.mark.parametrize("name", ["../x.npz", "sub/x.npz", "/tmp/x.npz", ".x.npz", "x.npy"])
def test_a_file_lies_beside_the_task(tmp_path: Path, name: str) -> None:
    write_task(tmp_path, f'\n[[captured]]\ndims = {{ n = 17 }}\nfile = "{name}"\n')
    with pytest.raises(TaskError, match=r"expected the name of a \.npz file beside task\.toml"):
        load(tmp_path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    folder = captured(tmp_path, pack({"x": X}))
    (folder / "x.npz").unlink()
    with pytest.raises(TaskError, match=r"expected a file x\.npz beside task\.toml, found none"):
        load(folder)


def test_an_argument_is_captured_or_drawn(tmp_path: Path) -> None:
    folder = captured(tmp_path, pack({"x": X}), 'data = { x = "ties(3)" }\n')
    with pytest.raises(TaskError, match="expected `x` in the file or in data, found it in both"):
        load(folder)


def test_a_draft_is_written_with_its_files(tmp_path: Path) -> None:
    task = task_of(tmp_path / "one", x=X)
    write_folder(task, tmp_path / "two")
    assert replace(load(tmp_path / "two"), folder=task.folder, sha=task.sha) == task


def test_a_draft_writes_nowhere_else(tmp_path: Path) -> None:
    task = replace(task_of(tmp_path / "one", x=X), captured_files={"../x.npz": "AAAA"})
    with pytest.raises(UsageError, match=r"beside task\.toml"):
        write_folder(task, tmp_path / "two")
    assert not (tmp_path / "x.npz").exists()


def test_an_order_takes_the_files_along(tmp_path: Path) -> None:
    task = task_of(tmp_path / "one", x=X)
    order = SentOrder.model_validate_json(sent(TestOrder(task, task.baseline), SentOrder).model_dump_json())
    arrived = received(order).task
    assert arrived.sha == task.sha
    assert np.array_equal(inputs_for(arrived, arrived.captured[0], 0)["x"], X)


def test_a_scalar_is_an_array_without_an_axis(tmp_path: Path) -> None:
    folder = write_task(tmp_path)
    data = pack({"x": X, "factor": np.array(0.5, np.float32)})
    text = (folder / "task.toml").read_text()
    scalar = '[[args]]\nname = "factor"\nrole = "scalar"\ndtype = "float32"\ndata = "uniform(1, 2)"\n\n[cost]'
    digest = hashlib.sha256(data).hexdigest()
    case = f'[[captured]]\ndims = {{ n = 17 }}\nfile = "x.npz"\nsha256 = "{digest}"\n'
    (folder / "task.toml").write_text(text.replace("[cost]", scalar) + case)
    (folder / "x.npz").write_bytes(data)
    task = load(folder)
    assert scalars_for(task, task.captured[0], 3) == {"factor": 0.5}
    alone = pack({"factor": np.array(0.5, np.float32)})
    said = text.replace("[cost]", scalar) + case.replace(digest, hashlib.sha256(alone).hexdigest())
    (folder / "task.toml").write_text(said + 'data = { x = "constant(2)" }\n')
    (folder / "x.npz").write_bytes(alone)
    drawn = load(folder)
    assert inputs_for(drawn, drawn.captured[0], 3)["x"].tolist() == [2.0] * 17
    assert not all_captured(drawn, drawn.captured[0])


def test_whoever_asks_for_a_task_is_told_of_its_data_but_not_their_values(tmp_path: Path) -> None:
    details = describe_task(task_of(tmp_path, x=X))
    assert details.captured == ["x.npz at n=17"]
    assert "captured in x.npz at n=17" in text_of(details)
    assert len(details.model_dump_json()) == len(
        describe_task(load(write_task(tmp_path / "plain")))
        .model_copy(update={"captured": details.captured})
        .model_dump_json()
    )


def test_changes_of_a_task_keep_its_data(tmp_path: Path) -> None:
    task = task_of(tmp_path, x=X)
    adapter = TypeAdapter(NewTask)
    changed = TaskChanges(summary="Two times a vector.").applied(task)
    travelled = adapter.validate_json(adapter.dump_json(changed))
    write_folder(travelled, tmp_path / "changed")
    kept = load(tmp_path / "changed")
    assert kept.summary == "Two times a vector."
    assert (kept.captured, kept.captured_files) == (task.captured, task.captured_files)


def test_a_task_with_all_the_data_it_may_have_travels_in_one_request() -> None:
    assert len(as_text(bytes(MAX_BYTES))) < LARGEST_BODY - (1 << 20)


FILE = pack({"x": X.reshape(1, 17), "b": np.arange(4, dtype=ml_dtypes.bfloat16)})


@given(st.lists(st.tuples(st.integers(0, len(FILE) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_file_that_was_damaged_is_read_or_refused_and_nothing_else(changes: list[tuple[int, int]]) -> None:
    data = bytearray(FILE)
    for place, value in changes:
        data[place] = value
    with contextlib.suppress(TaskError):
        unpack(bytes(data))


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-3, -4), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 12), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }",
        "{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': (6,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (12,), }",
        "{'descr': '|V0', 'fortran_order': False, 'shape': (12,), }",
        "{'descr': '>f4', 'fortran_order': False, 'shape': (12,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (13,), }",
        "__import__('os')",
        "(((",
        "[" * 300,
        " " * 5000,
    ],
)
@pytest.mark.parametrize("version", [b"\x01\x00", b"\x02\x00", b"\x03\x00"])
def test_a_header_that_says_something_else_than_plain_numbers_is_refused(header: str, version: bytes) -> None:
    length = len(header).to_bytes(2 if version[0] == 1 else 4, "little")
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY" + version + length + header.encode() + bytes(48))
    with pytest.raises(TaskError, match=r"x\.npy: expected"):
        unpack(written.getvalue())
