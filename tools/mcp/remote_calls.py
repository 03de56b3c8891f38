"""The calls between a remote toolbox and its server: an MCP extension's requests and results."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.types import Request, RequestParams, Result
from pydantic import Field, StringConstraints

from tools.order_problem import OrderProblem
from tools.sent_orders import SentOrder

EXTENSION = "io.github.warpwright/toolbox"
PROTOCOL = "2026-07-28"
"""The protocol's revision that these calls are made in."""
LONGEST_WAIT_S = 25.0


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


class JudgeParams(SentOrder, RequestParams):
    """One order; the task travels with it."""


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
    problem: OrderProblem | None = None
    message: str = ""
