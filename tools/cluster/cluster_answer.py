"""What comes back of an order from a cluster, and what a judge says of itself: JSON, never a pickled object."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from sandbox.errors import MissingDependencyError, UsageError, WarpwrightError, WorkerDiedError
from sandbox.verdict import Verdict


class ClusterAnswer(BaseModel):
    """A report, or whose fault it is that there is none."""

    model_config = ConfigDict(frozen=True)
    report: dict[str, Any] | None = None
    problem: Literal["usage", "missing", "worker"] | None = None
    message: str = ""

    @classmethod
    def of(cls, error: WarpwrightError) -> ClusterAnswer:
        """Return what an exception becomes on its way."""
        if isinstance(error, UsageError):
            return cls(problem="usage", message=str(error))
        missing = isinstance(error, MissingDependencyError)
        return cls(problem="missing" if missing else "worker", message=str(error))

    @property
    def error(self) -> WarpwrightError:
        """The exception again."""
        kinds = {"usage": UsageError, "missing": MissingDependencyError}
        return kinds.get(self.problem or "", WorkerDiedError)(self.message)

    @property
    def kept(self) -> bool:
        """Whether it is given to whoever asks the same: what nobody could decide is tried anew."""
        return self.report is not None and self.report["verdict"] != Verdict.UNDECIDED


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
