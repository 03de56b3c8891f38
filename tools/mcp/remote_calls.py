"""The calls between a remote toolbox and its server: an MCP extension's requests and results."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from mcp.types import Request, RequestParams, Result
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from tools.kernel.file import MAX_BYTES
from tools.reports import CheckReport, CompileReport, ProfileReport, TestReport

EXTENSION = "io.github.warpwright/toolbox"
PROTOCOL = "2026-07-28"
"""The protocol's revision that these calls are made in."""
LONGEST_WAIT_S = 25.0

R = TypeVar("R")
Call = Literal["compile", "test", "profile", "check"]
Report = CompileReport | TestReport | ProfileReport | CheckReport
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
    """What judges there."""

    result_type: Literal["complete"] = "complete"
    device: str
    isolation: str


class JudgeParams(RequestParams):
    """One call of a toolbox; the task travels with it, as the texts of its files."""

    call: Call
    task_toml: _File
    reference: _File
    baseline: _File
    sha: str
    kernel: Annotated[str, StringConstraints(max_length=4 * MAX_BYTES)]
    tune: dict[str, int] | None = Field(default=None, max_length=64)
    seed: int | None = None
    sweep: bool = False
    profile: bool = True
    benches: bool = True
    thorough: bool = False
    full: bool = False


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


class Judgement(Result):
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


def dump(report: Report) -> dict[str, Any]:
    """Return a report as plain JSON values."""
    text = _Carrier[type(report)](report=report).model_dump_json()
    return TypeAdapter(dict[str, Any]).validate_json(text)["report"]
