"""The JSON schemas of structured answers, as strict endpoints want them: every field required, none besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _object(**fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(fields),
        "required": list(fields),
        "additionalProperties": False,
    }


_TEXT = {"type": "string"}
_NAMES = {"type": "array", "items": _TEXT}
_THOUGHTS = {"type": "string", "description": "What leads to the answer, in a few sentences."}
PLANS = _object(
    thoughts=_THOUGHTS,
    plans={
        "type": "array",
        "items": _object(parent={"type": ["string", "null"]}, features=_NAMES, why=_TEXT),
    },
)
"""Of a planner's answer."""
CRITIQUE = _object(thoughts=_THOUGHTS, text=_TEXT, features=_NAMES)
"""Of a critic's answer."""
