"""The calls between a remote toolbox and its server: an MCP extension's requests and results."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Generic, Literal, TypeVar, cast

from mcp.types import Request, RequestParams, Result
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from tools.judge.sizes import COUNT
from tools.kernel.file import MAX_BYTES
from tools.reports import AnyReport, CheckReport, CompileReport, ProfileReport, TestReport
from tools.tasks.task import Task, TaskError
from tools.toolbox import AnyOrder, CheckOrder, CompileOrder, Order, ProfileOrder, TestOrder

EXTENSION = "io.github.warpwright/toolbox"
PROTOCOL = "2026-07-28"
"""The protocol's revision that these calls are made in."""
LONGEST_WAIT_S = 25.0

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


class AboutParams(RequestParams):
    """No more than what every request carries."""


class AboutRequest(Request[AboutParams, Literal["warpwright/toolbox"]]):
    """Ask what judges there."""

    method: Literal["warpwright/toolbox"] = "warpwright/toolbox"


class About(Result):
    """What judges there; earlier servers do not say their version."""

    result_type: Literal["complete"] = "complete"
    device: str
    isolation: str
    version: str = ""


class JudgeParams(RequestParams):
    """One order; the task travels with it, as the texts of its files, and what its kind does not ask is unset."""

    call: Call
    task_toml: _File
    reference: _File
    baseline: _File
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


_ORDERS: dict[Call, type[AnyOrder[Any]]] = {
    "compile": CompileOrder,
    "test": TestOrder,
    "profile": ProfileOrder,
    "check": CheckOrder,
}


def params_of(order: AnyOrder[Task]) -> JudgeParams:
    """Return an order as it travels.

    Raises:
        TaskError: The task's folder cannot be read any more.
    """
    path = order.task.folder / "task.toml"
    try:
        toml = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"{path}: cannot be read: {error}") from None
    return JudgeParams.model_validate(
        {
            **{name: getattr(order, name) for name in _choices(type(order))},
            "call": order.kind,
            "task_toml": toml,
            "reference": order.task.reference,
            "baseline": order.task.baseline,
            "sha": order.task.sha,
            "kernel": order.kernel.encode(errors="replace").decode(),
        }
    )


def order_of(params: JudgeParams, task: Task) -> Order[Task, AnyReport]:
    """Return the order that travelled, for the task that came with it."""
    kind = _ORDERS[params.call]
    order = kind(task, params.kernel, **{name: getattr(params, name) for name in _choices(kind)})
    return cast("Order[Task, AnyReport]", order)


def _choices(kind: type[AnyOrder[Any]]) -> list[str]:
    return [one.name for one in fields(kind) if one.name not in ("task", "kernel", "kind")]


class JudgeRequest(Request[JudgeParams, Literal["warpwright/judge"]]):
    """Begin a judgement."""

    method: Literal["warpwright/judge"] = "warpwright/judge"


class JobParams(RequestParams):
    """Name a judgement."""

    job: Annotated[str, StringConstraints(max_length=64)]
    wait_s: float = Field(default=LONGEST_WAIT_S, ge=0, le=LONGEST_WAIT_S)


class JudgementRequest(Request[JobParams, Literal["warpwright/judgement"]]):
    """Wait for a judgement, so long at most."""

    method: Literal["warpwright/judgement"] = "warpwright/judgement"


class WithdrawRequest(Request[JobParams, Literal["warpwright/withdraw"]]):
    """Stop a judgement that nobody wants any more."""

    method: Literal["warpwright/withdraw"] = "warpwright/withdraw"


class RemoteJudgement(Result):
    """Where a judgement stands. `report` is set once it is done; `problem` says whose fault it was otherwise."""

    result_type: Literal["complete"] = "complete"
    job: str
    state: Literal["working", "done", "failed"]
    report: dict[str, Any] | None = None
    problem: Literal["usage", "missing", "worker"] | None = None
    message: str = ""


class _Carrier(BaseModel, Generic[R]):
    model_config = ConfigDict(ser_json_inf_nan="strings")
    report: R


def dump(report: AnyReport) -> dict[str, Any]:
    """Return a report as plain JSON values."""
    text = _Carrier[type(report)](report=report).model_dump_json()
    return TypeAdapter(dict[str, Any]).validate_json(text)["report"]
