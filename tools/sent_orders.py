"""Orders and reports as they travel to another process: plain JSON values, the task as the texts of its files."""

from __future__ import annotations

import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from sandbox.errors import UsageError
from tools.judge.sizes import COUNT
from tools.kernel.file import MAX_BYTES
from tools.reports import AnyReport, CheckReport, CompileReport, ProfileReport, TestReport
from tools.tasks import captured
from tools.tasks import folder as task_folder
from tools.tasks.task import Task, TaskError
from tools.toolbox import AnyOrder, CheckOrder, CompileOrder, Order, ProfileOrder, TestOrder

R = TypeVar("R")
Call = Literal["compile", "test", "profile", "check"]
REPORTS: dict[Call, TypeAdapter[Any]] = {
    "compile": TypeAdapter(CompileReport),
    "test": TypeAdapter(TestReport),
    "profile": TypeAdapter(ProfileReport),
    "check": TypeAdapter(CheckReport),
}
"""Reads what `dump` wrote; numbers that JSON lacks travel as text, which these read as numbers."""

_File = Annotated[str, StringConstraints(max_length=256 * 1024)]
_Name = Annotated[str, StringConstraints(max_length=64)]
_Captured = Annotated[str, StringConstraints(max_length=4 * (captured.MAX_BYTES // 3 + 1))]
"""A captured file, in base64."""


class SentOrder(BaseModel):
    """One order; what its kind does not ask is unset, and `sha` is that of the task, final sizes or not."""

    call: Call
    task_toml: _File
    reference: _File
    baseline: _File
    captured: dict[_Name, _Captured] = Field(default_factory=dict[str, str], max_length=8)
    sha: str
    kernel: Annotated[str, StringConstraints(max_length=4 * MAX_BYTES)]
    tune: dict[str, int] | None = Field(default=None, max_length=64)
    seed: int | None = Field(default=None, ge=0)
    sweep: bool = False
    profile: bool = True
    benches: bool = True
    thorough: bool = False
    prove: bool = False
    fresh_sizes: int = Field(default=COUNT, ge=1, le=COUNT)
    full: bool = False


S = TypeVar("S", bound=SentOrder)
_ORDERS: dict[Call, type[AnyOrder[Any]]] = {
    "compile": CompileOrder,
    "test": TestOrder,
    "profile": ProfileOrder,
    "check": CheckOrder,
}


def sent(order: AnyOrder[Task], kind: type[S]) -> S:
    """Return an order as it travels.

    Raises:
        TaskError: The task's folder cannot be read any more.
    """
    path = order.task.folder / "task.toml"
    try:
        toml = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"{path}: cannot be read: {error}") from None
    return kind.model_validate(
        {
            **{name: getattr(order, name) for name in _choices(type(order))},
            "call": order.kind,
            "task_toml": toml,
            "reference": order.task.reference,
            "baseline": order.task.baseline,
            "captured": order.task.captured_files,
            "sha": order.task.sha,
            "kernel": order.kernel.encode(errors="replace").decode(),
        }
    )


def received(order: SentOrder) -> Order[Task, AnyReport]:
    """Return the order that travelled, for the task that came with it.

    Raises:
        UsageError: The task cannot be used, or is not the one that its sender means.
    """
    kind = _ORDERS[order.call]
    made = kind(_task(order), order.kernel, **{name: getattr(order, name) for name in _choices(kind)})
    return cast("Order[Task, AnyReport]", made)


def _choices(kind: type[AnyOrder[Any]]) -> list[str]:
    return [one.name for one in fields(kind) if one.name not in ("task", "kernel", "kind")]


def _task(order: SentOrder) -> Task:
    files = {"task.toml": order.task_toml, "reference.py": order.reference, "baseline.cu": order.baseline}
    with tempfile.TemporaryDirectory(prefix="warpwright-task-") as name:
        for file, text in files.items():
            (Path(name) / file).write_bytes(text.encode())
        for file, content in order.captured.items():
            if problem := captured.file_problem(file):
                raise UsageError(problem)
            (Path(name) / file).write_bytes(captured.as_bytes(content))
        task = task_folder.load(name)
    for meant in (task, task.at_finals):
        if meant.sha == order.sha:
            return meant
    raise UsageError("the task changed while it was sent; try once more")


class _Carrier(BaseModel, Generic[R]):
    model_config = ConfigDict(ser_json_inf_nan="strings")
    report: R


def dump(report: AnyReport) -> dict[str, Any]:
    """Return a report as plain JSON values."""
    text = _Carrier[type(report)](report=report).model_dump_json()
    return TypeAdapter(dict[str, Any]).validate_json(text)["report"]
