"""What a person chooses about chat models: which one does what, and how it is asked."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ModelSettings(BaseModel):
    """How chat models are asked; what is None is left to the endpoint, or to `--model`.

    Attributes:
        planner: The planner's model.
        coder: The coder's.
        critic: The critic's.
        temperature: Passed on.
        reasoning_effort: Passed on.
        max_output_tokens: Of one reply, what the model thinks included.
        timeout_s: How long an endpoint may say nothing, in seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    planner: str | None = None
    coder: str | None = None
    critic: str | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    max_output_tokens: int | None = Field(default=None, ge=256, le=1_000_000)
    timeout_s: float = Field(default=600.0, gt=0, le=24 * 3600)
