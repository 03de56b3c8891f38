"""What a search may cost at most, and what models' tokens cost."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SearchBudget(BaseModel):
    """Hard limits on a search, over all processes that work on it; None is no limit.

    Attributes:
        max_usd: US dollars for chat models.
        max_tokens: Tokens that chat models read and write.
        max_candidates: Candidates that are written.
        max_seconds: Seconds of work; the last check of the best kernel comes on top.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    max_usd: float | None = Field(default=None, gt=0)
    max_tokens: int | None = Field(default=None, gt=0)
    max_candidates: int | None = Field(default=None, gt=0)
    max_seconds: float | None = Field(default=None, gt=0)

    @property
    def limits_models(self) -> bool:
        """Whether what chat models cost is limited."""
        return self.max_usd is not None or self.max_tokens is not None


class TokenPrice(BaseModel):
    """What a million tokens of a model cost, in US dollars.

    Attributes:
        input: Read by the model.
        output: Written by it, thoughts included.
        cached: Read again from the provider's cache of prompts; None costs as `input`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)
