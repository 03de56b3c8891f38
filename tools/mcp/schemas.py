"""Schemas that every client takes: flat, closed, and in the few words that all of them know.

OpenAI's strict mode, Gemini's function declarations and JSON Schema 2020-12 share the keywords of `KEYWORDS`. A
reference, a union with null, a default, a title, or a map whose keys are free is unknown to one of them, or refused:
references are put in their place, what may be null need not be there, and maps are lists of names and values.
"""

from __future__ import annotations

from typing import Any, cast

KEYWORDS = frozenset(
    {
        *("type", "description", "enum", "minimum", "maximum"),
        *("properties", "required", "additionalProperties"),
        *("items", "minItems", "maxItems"),
    }
)
"""What a published schema may use."""

_NAMED = 2
"""How deep the fields of an answer are named; what is deeper shows itself."""

Schema = dict[str, Any]


def argument_schema(schema: Schema, described: int = 9) -> Schema:
    """Return pydantic's schema of arguments as clients take it; nothing beside what is named may be given.

    Args:
        schema: As pydantic writes it.
        described: How deep it is described; another tool's schema may say the rest.

    Raises:
        TypeError: It holds a map with free keys, or a union that is none of a type and null.
    """
    return _Flat(schema.get("$defs", {}), closed=True, described=described).of(schema)


def answer_schema(schema: Schema) -> Schema:
    """Return the schema of an answer: what is null is left out of it, and its text says what its fields mean.

    Raises:
        TypeError: As above.
    """
    return _Flat(schema.get("$defs", {}), closed=False, described=0).of(schema)


class _Flat:
    def __init__(self, known: Schema, *, closed: bool, described: int) -> None:
        self._known = known
        self._closed = closed
        self._described = described

    def of(self, schema: Schema, depth: int = 0) -> Schema:
        schema = self._resolved(schema)
        kept = {key: value for key, value in schema.items() if key in KEYWORDS}
        if "const" in schema:
            kept["enum"] = [schema["const"]]
        if depth > self._described or (depth == 0 and not self._closed):
            kept.pop("description", None)
        if depth > 1 and not self._closed:
            kept.pop("enum", None)
        if "type" not in kept:
            raise TypeError(f"no client takes a schema without a type: {schema}")
        if kept["type"] == "object":
            self._object(schema, kept, depth)
        elif "items" in kept:
            kept["items"] = self.of(cast("Schema", kept["items"]), depth + 1)
        return kept

    def _object(self, schema: Schema, kept: Schema, depth: int) -> None:
        properties = cast("dict[str, Schema]", schema.get("properties", {}))
        if isinstance(kept.pop("additionalProperties", None), dict):
            raise TypeError(f"no client takes a map with free keys: {schema}")
        if not self._closed and (not properties or depth >= _NAMED):
            for key in ("properties", "required"):
                kept.pop(key, None)
            return
        required = [
            name for name in schema.get("required", ()) if self._closed or not _nullable(properties[name])
        ]
        kept["properties"] = {name: self.of(one, depth + 1) for name, one in properties.items()}
        kept.pop("required", None)
        if required:
            kept["required"] = required
        if self._closed:
            kept["additionalProperties"] = False

    def _resolved(self, schema: Schema) -> Schema:
        """Put what is referred to in the place of a reference, and a type in the place of its union with null."""
        around = {
            key: value for key, value in schema.items() if key not in ("$ref", "anyOf", "oneOf", "allOf")
        }
        if "$ref" in schema:
            named = str(schema["$ref"]).removeprefix("#/$defs/")
            return self._resolved({**self._known[named], **around})
        choices = [one for one in schema.get("anyOf", schema.get("oneOf", [])) if one.get("type") != "null"]
        choices += schema.get("allOf", [])
        if not choices:
            return schema
        if len(choices) > 1:
            raise TypeError(f"no client takes a union: {schema}")
        return self._resolved({**choices[0], **around})


def _nullable(schema: Schema) -> bool:
    return any(one.get("type") == "null" for one in schema.get("anyOf", []))
