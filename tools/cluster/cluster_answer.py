"""What comes back of an order from a cluster, and what a judge says of itself: JSON, never a pickled object."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from sandbox.errors import WarpwrightError
from sandbox.verdict import Verdict
from tools.order_problem import OrderProblem


class ClusterAnswer(BaseModel):
    """A report, or whose fault it is that there is none."""

    model_config = ConfigDict(frozen=True)
    report: dict[str, Any] | None = None
    problem: OrderProblem | None = None
    message: str = ""

    @classmethod
    def of(cls, error: WarpwrightError) -> ClusterAnswer:
        """Return what an exception becomes on its way."""
        return cls(problem=OrderProblem.of(error), message=str(error))

    @property
    def error(self) -> WarpwrightError:
        """The exception again."""
        return (self.problem or OrderProblem.WORKER).error(self.message)

    @property
    def kept(self) -> bool:
        """Whether it is given to whoever asks the same: what nobody could decide is tried anew."""
        return self.report is not None and self.report["verdict"] != Verdict.UNDECIDED


def last_line(error: BaseException) -> str:
    """Return what an exception of Ray's says in the end: a remote traceback comes before it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


class JudgeFacts(BaseModel):
    """What a judge says of itself.

    Attributes:
        group: Its `JudgeGroup`, as JSON.
        isolation: Of its workers.
        node: The address of its machine.
        pid: Of its process there.
        answered: Keys of orders that it has answered or is at work on.
        problem: Why it cannot judge.
    """

    model_config = ConfigDict(frozen=True)
    group: str
    isolation: str = ""
    node: str = ""
    pid: int = 0
    answered: tuple[str, ...] = ()
    problem: ClusterAnswer | None = None
