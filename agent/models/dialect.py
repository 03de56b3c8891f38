"""What an endpoint and a model understand, found out by asking and remembered for all runs of a home."""

from __future__ import annotations

import re
from enum import IntEnum

from pydantic import BaseModel, ConfigDict


class Rung(IntEnum):
    """How a structured answer is asked for, the strictest first."""

    JSON_SCHEMA = 0
    TOOL_CALL = 1
    JSON_OBJECT = 2
    TEXT = 3


class Dialect(BaseModel):
    """What is known of a model at an endpoint; what was never refused is taken to be understood.

    Attributes:
        system: Whether messages may have the role `system`.
        tools: Whether tools may be offered.
        rung: The strictest way that gave a readable structured answer, as far as tried.
        usage: Whether a stream may be asked for its token counts.
        streaming: Whether streams may be asked for.
    """

    model_config = ConfigDict(frozen=True)
    system: bool = True
    tools: bool = True
    rung: Rung = Rung.JSON_SCHEMA
    usage: bool = True
    streaming: bool = True

    def without_rung(self) -> Dialect:
        """Return the dialect one rung down; the last rung is always there."""
        return self.model_copy(update={"rung": Rung(min(self.rung + 1, Rung.TEXT))})

    def after(self, refusal: str, *, structured: bool, offered: bool) -> Dialect | None:
        """Return the dialect in which to ask again after a refusal; None where it is about something else.

        Args:
            refusal: The endpoint's words.
            structured: Whether a structured answer was asked for, above the rung of text.
            offered: Whether tools were offered.
        """
        if self.system and _NO_SYSTEM.search(refusal):
            return self.model_copy(update={"system": False})
        if structured and self.rung < Rung.TEXT and _NO_SCHEMA.search(refusal):
            return self.without_rung()
        if offered and self.tools and _NO_TOOLS.search(refusal):
            return self.model_copy(update={"tools": False})
        return None


_NO_SYSTEM = re.compile(
    r"system (role|message|prompt|instruction)|role.{0,30}\bsystem\b|\bsystem\b.{0,30}role|roles must alternate|"
    r"developer instruction",
    re.IGNORECASE,
)
_NO_SCHEMA = re.compile(
    r"response_format|json_schema|json_object|schema|grammar|guided|tool|function", re.IGNORECASE
)
_NO_TOOLS = re.compile(r"tool|function", re.IGNORECASE)
