"""What a person chooses about chat models: which one does what, and how it is asked."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agent.budget import TokenPrice


class ReasoningEffort(StrEnum):
    """How long a model that can think may do so, in the endpoints' words."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else () if value is None else value


class ModelSettings(BaseModel):
    """How chat models are asked; what is None is left to the endpoint, or to `--model`.

    Attributes:
        planner: The planner's model.
        coder: The coder's; of several one is chosen for each candidate, by what each one's kernels gained.
        critic: The critic's.
        temperature: Passed on.
        reasoning_effort: Passed on.
        max_output_tokens: Of one reply, what the model thinks included.
        timeout_s: How long an endpoint may say nothing, in seconds.
        prices: By model, before those that are public.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    planner: str | None = None
    coder: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()
    critic: str | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    reasoning_effort: ReasoningEffort | None = None
    max_output_tokens: int | None = Field(default=None, ge=256, le=1_000_000)
    timeout_s: float = Field(default=600.0, gt=0, le=24 * 3600)
    prices: dict[str, TokenPrice] = Field(default_factory=dict[str, TokenPrice])
