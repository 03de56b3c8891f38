"""Arguments as models send them: null, numbers in text, objects in text, maps for lists; and mistakes in words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, cast

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BeforeValidator, ValidationError

from tools.mcp.schemas import Schema

_SHOWN = 60
_ERRORS = 3
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n(.*?)^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)
_LONGEST_JSON = 1 << 20


def read_arguments(tool: str, arguments: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Return a call's arguments in the types that the tool's schema names, without those that are null.

    Raises:
        ToolError: One is unknown; the text names it, what it may be meant for, and those that there are.
    """
    return _object(arguments, schema, f"{tool} has", "")


def in_words(error: ValidationError) -> str:
    """Return what is wrong with arguments, each with its place and what was found there."""
    found = error.errors(include_url=False, include_context=False)
    said = [f"{_place(one['loc'])}: {_lower(one['msg'])}{_found(one)}" for one in found[:_ERRORS]]
    more = f"; and {len(found) - _ERRORS} more mistakes" if len(found) > _ERRORS else ""
    return "; ".join(said) + more


def without_fences(text: object) -> object:
    """Return the code between the fences of a Markdown text that holds one block; any other text as it is."""
    if not isinstance(text, str) or not ("```" in text or "~~~" in text):
        return text
    blocks = _FENCE.findall(text)
    return blocks[0][1] if len(blocks) == 1 else text


def clamped(low: float, high: float) -> BeforeValidator:
    """Return what moves a number into a range instead of refusing it."""

    def into_range(value: object) -> object:
        return min(max(value, low), high) if isinstance(value, int | float) and value == value else value

    return BeforeValidator(into_range)


def _object(value: Mapping[str, Any], schema: Schema, owner: str, place: str) -> dict[str, Any]:
    known = cast("dict[str, Schema]", schema.get("properties", {}))
    if unknown := [name for name in value if name not in known]:
        raise ToolError(_unknown(unknown[0], list(known), owner))
    needed = schema.get("required", ())
    read: dict[str, Any] = {}
    for name, one in value.items():
        if one is None and name not in needed:
            continue
        read[name] = _read(one, known[name], f"{place}.{name}" if place else name)
    return read


def _read(value: Any, schema: Schema, place: str) -> Any:
    kind = schema["type"]
    if isinstance(value, str) and kind != "string":
        value = _from_text(value, kind)
    if kind == "array":
        return _items(value, cast("Schema", schema["items"]), place)
    if kind == "object" and isinstance(value, dict):
        return _object(cast("dict[str, Any]", value), schema, f"{place} has", place)
    return value


def _items(value: Any, schema: Schema, place: str) -> Any:
    if isinstance(value, dict) and schema["type"] == "object":
        value = _listed(cast("dict[str, Any]", value), list(schema.get("properties", {})))
    if isinstance(value, str) and schema["type"] == "string":
        value = [value]
    if not isinstance(value, list):
        return cast("Any", value)
    items = cast("list[Any]", value)
    return [_read(one, schema, f"{place}[{number}]") for number, one in enumerate(items)]


def _listed(value: dict[str, Any], fields: Sequence[str]) -> list[dict[str, Any]]:
    """A map as the list of names and values that stands for it; an object that is such an item as a list of one."""
    if set(value) <= set(fields) and fields[0] in value:
        return [value]
    key, *others = fields
    return [
        {key: name, **(cast("dict[str, Any]", one) if isinstance(one, dict) else {others[0]: one})}
        for name, one in value.items()
    ]


def _from_text(text: str, kind: str) -> Any:
    """What a text stands for where another type is wanted; the text itself where it stands for none of it."""
    if len(text) > _LONGEST_JSON:
        return text
    try:
        value: Any = json.loads(text.strip().lower() if kind == "boolean" else text)
    except (ValueError, RecursionError):
        return text
    wanted = {"integer": int | float, "number": int | float, "boolean": bool}.get(kind, list | dict)
    return value if isinstance(value, wanted) else text


def _unknown(name: str, known: Sequence[str], owner: str) -> str:
    shown = name[:_SHOWN]
    near = (
        get_close_matches(shown, known, 1, 0.5) or [one for one in known if one in shown or shown in one][:1]
    )
    meant = f"; did you mean {near[0]}?" if near else "."
    return f"{owner} no argument {shown!r}{meant} There are: {', '.join(known) or 'none'}. Nothing was done."


def _place(location: Sequence[int | str]) -> str:
    parts = [f"[{one}]" if isinstance(one, int) else f".{one}" for one in location]
    return "".join(parts).removeprefix(".") or "arguments"


def _lower(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _found(error: Any) -> str:
    if error["type"] == "missing":
        return ""
    shown = ascii(error["input"])
    return f", found {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '...'}"
