"""A task as MCP clients send and read it: the parts of `tools.tasks.task`, with lists where those have maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from tools.judge.explanation import LIMIT, shorten
from tools.mcp import limits
from tools.mcp.answers import NamedNumber, Numbers
from tools.mcp.drafts import NewTask
from tools.reports import sizes_text
from tools.tasks.drafting import NAME
from tools.tasks.task import (
    CapturedCase,
    Case,
    DimLimits,
    Target,
    Task,
    TaskArgument,
    TaskSpec,
    WholeTask,
)

Dtype = Literal["float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16",
                "uint32", "uint64", "bool"]  # fmt: skip
"""The names of `sandbox.dtypes`; a test compares the two."""
_Text = Annotated[str, StringConstraints(max_length=4000)]
_File = Annotated[str, StringConstraints(max_length=128 * 1024)]
_NAME = Field(
    pattern=f"^{NAME}$", description="Lower-case letters, digits and `_`, a letter first, at most 48."
)


def _of(owner: type[Any], name: str, **more: Any) -> Any:
    """A field that is described as the one of a task's own classes."""
    described = next(one for one in fields(owner) if one.name == name).metadata.get("description")
    return Field(description=described, **more)


class FormArgument(BaseModel):
    """One argument of a task."""

    name: _Text = _of(TaskArgument, "name")
    role: Literal["in", "out", "inout", "scalar"] = _of(TaskArgument, "role")
    dtype: Dtype
    shape: list[_Text] = _of(TaskArgument, "shape", default_factory=list, max_length=8)
    data: _Text | None = _of(TaskArgument, "data", default=None)
    trivial: bool = _of(TaskArgument, "trivial", default=False)
    reason: _Text = _of(TaskArgument, "reason", default="")


class NamedCall(BaseModel):
    """What fills one argument in a case."""

    name: _Text
    value: _Text = Field(description="A generator call, as `ties(3)`.")


class FormCase(BaseModel):
    """Sizes of one case, and data that replace the arguments' own in it."""

    dims: Numbers = Field(min_length=1, max_length=16)
    data: list[NamedCall] = Field(default_factory=list[NamedCall], max_length=32)


class FormLimits(BaseModel):
    """Which sizes of one dim a task is about."""

    name: _Text
    min: int | None = _of(DimLimits, "min", default=None, ge=1)
    max: int | None = _of(DimLimits, "max", default=None, ge=1)
    multiple_of: int | None = _of(DimLimits, "multiple_of", default=None, ge=1)


class FormTarget(BaseModel):
    """When a search may stop early; what is not there is not asked for."""

    latency_us: float | None = Field(default=None, gt=0)
    speedup: float | None = _of(Target, "speedup", default=None, gt=0)
    roofline: float | None = _of(Target, "roofline", default=None, gt=0, le=1)


class TaskChanges(BaseModel):
    """What a task says, each part of it or none; as in create_task."""

    summary: _Text | None = None
    dims: list[_Text] | None = Field(default=None, max_length=16)
    arguments: list[FormArgument] | None = Field(default=None, max_length=32)
    tests: list[FormCase] | None = Field(default=None, max_length=64)
    benches: list[FormCase] | None = Field(default=None, max_length=16)
    flops: _Text | None = None
    bytes: _Text | None = None
    reference: _File | None = None
    baseline: _File | None = None
    deterministic: bool | None = None
    target: FormTarget | None = None
    limits: list[FormLimits] | None = Field(default=None, max_length=16)
    accumulate: Literal["float32", "float16", "bfloat16"] | None = None

    def applied(self, task: WholeTask) -> NewTask:
        """Return a task with these changes."""
        told: dict[str, Any] = {one.name: getattr(task, one.name) for one in fields(WholeTask)}
        return NewTask(**{**told, **_plain(self)})


class TaskForm(BaseModel):
    """Everything that a task says."""

    name: str = _NAME
    summary: _Text = _of(TaskSpec, "summary")
    dims: list[_Text] = _of(TaskSpec, "dims", min_length=1, max_length=16)
    arguments: list[FormArgument] = _of(TaskSpec, "arguments", min_length=1, max_length=32)
    tests: list[FormCase] = _of(TaskSpec, "tests", min_length=1, max_length=64)
    benches: list[FormCase] = _of(TaskSpec, "benches", min_length=1, max_length=16)
    flops: _Text = _of(TaskSpec, "flops")
    bytes: _Text = _of(TaskSpec, "bytes")
    reference: _File = _of(WholeTask, "reference")
    baseline: _File = _of(WholeTask, "baseline")
    deterministic: bool = _of(TaskSpec, "deterministic", default=True)
    target: FormTarget = Field(default_factory=FormTarget)
    limits: list[FormLimits] = _of(TaskSpec, "limits", default_factory=list, max_length=16)
    accumulate: Literal["float32", "float16", "bfloat16"] = _of(TaskSpec, "accumulate", default="float32")

    def draft(self) -> NewTask:
        """Return the task that it says."""
        return NewTask(name=self.name, **_plain(self))


class TaskDraft(BaseModel):
    """A task proposed from a kernel, in the form that create_task takes."""

    task: TaskForm
    notes: list[str] = Field(description="What was guessed, and what is missing.")


class TaskDetails(TaskForm):
    """Everything needed to write a kernel for a task, in the form that create_task takes."""

    name: str = ""
    captured: list[str] = Field(default_factory=list[str], description="Data that it is judged on too.")
    kernel_file_rules: str = Field(description="How a kernel file is written.")
    sha: str

    @classmethod
    def of(cls, task: Task, rules: str) -> TaskDetails:
        """Return what is told of a task, its texts cut to what an answer holds."""
        return cls.model_validate({**_told(task), "kernel_file_rules": rules, "sha": task.sha})


def form_of(task: WholeTask) -> TaskForm:
    """Return a task in the form that create_task takes."""
    return TaskForm.model_validate(_told(task))


def _told(task: WholeTask) -> dict[str, Any]:
    told: dict[str, Any] = {one.name: getattr(task, one.name) for one in fields(WholeTask)}
    for name, limit in (("summary", LIMIT), ("reference", limits.FILE), ("baseline", limits.FILE)):
        told[name] = shorten(told[name], limit)
    return told | {
        "arguments": [asdict(one) for one in task.arguments],
        "tests": [_form_case(one) for one in task.tests],
        "benches": [_form_case(one) for one in task.benches],
        "captured": [_told_captured(one) for one in task.captured],
        "target": asdict(task.target),
        "limits": [{"name": name, **asdict(one)} for name, one in task.limits.items()],
    }


def _form_case(case: Case) -> Mapping[str, Any]:
    data = [NamedCall(name=name, value=call) for name, call in case.data.items()]
    return {"dims": case.dims, "data": data}


def _told_captured(case: CapturedCase) -> str:
    return f"{case.file} at {sizes_text(case.dims)}"


def _plain(form: TaskForm | TaskChanges) -> dict[str, Any]:
    """The parts that a form gives, in the classes that a task is made of; the name is not among them.

    Final sizes have no place in a form: whoever drafts a task over MCP may write its kernels too.
    """
    names = {one.name for one in fields(WholeTask)} & type(form).model_fields.keys() - {"name"}
    given = {name: getattr(form, name) for name in names if getattr(form, name) is not None}
    kinds = {"arguments": _arguments, "tests": _cases, "benches": _cases, "dims": tuple}
    for name, made in kinds.items():
        if name in given:
            given[name] = made(given[name])
    if "target" in given:
        given["target"] = Target(**given["target"].model_dump())
    if "limits" in given:
        listed: list[FormLimits] = given["limits"]
        given["limits"] = {one.name: DimLimits(one.min, one.max, one.multiple_of) for one in listed}
    return given


def _arguments(listed: list[FormArgument]) -> tuple[TaskArgument, ...]:
    return tuple(
        TaskArgument(one.name, one.role, one.dtype, tuple(one.shape), one.data, one.trivial, one.reason)
        for one in listed
    )


def _cases(listed: list[FormCase]) -> tuple[Case, ...]:
    return tuple(Case(_sizes(one.dims), {call.name: call.value for call in one.data}) for one in listed)


def _sizes(dims: list[NamedNumber]) -> dict[str, int]:
    return {one.name: one.value for one in dims}
