"""Published schemas: what OpenAI's strict mode, Gemini and JSON Schema 2020-12 all know, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import jsonschema
import pytest
from pydantic import BaseModel, TypeAdapter

from agent.mcp.offer import SETS, Offer, offered
from sandbox.dtypes import DTYPE_BYTES
from tools.mcp.schemas import KEYWORDS, answer_schema, argument_schema
from tools.mcp.task_form import Dtype
from tools.mcp.tool import ReadableTool

OF_EVERY_TYPE = frozenset({"type", "description"})
OPENAI = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"enum", "pattern", "format"},
    "integer": {"enum", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "number": {"enum", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "boolean": {"enum"},
}
"""OpenAI, "Structured model outputs", supported schemas, as jsonschemaprofiles.unitvectorylabs.com/schemas/openai has
that page of February 2026; `anyOf`, `$ref` and `$defs` are known there too."""
MOST_PROPERTIES, MOST_LEVELS, MOST_CHARACTERS, MOST_VALUES = 5_000, 10, 120_000, 1_000
"""The same page: of one schema, how deep objects lie in each other, of names and values, of all enums."""
GEMINI = {
    "object": {"properties", "required", "propertyOrdering", "additionalProperties", "title"},
    "array": {"items", "prefixItems", "minItems", "maxItems", "title"},
    "string": {"enum", "format", "title"},
    "integer": {"format", "minimum", "maximum", "enum", "title"},
    "number": {"format", "minimum", "maximum", "enum", "title"},
    "boolean": {"title"},
}
"""Gemini, "Structured output", JSON Schema support, as jsonschemaprofiles.unitvectorylabs.com/schemas/gemini has that
page of 26 February 2026. It is what `parametersJsonSchema` of a function takes, where its CLI puts tools of MCP."""
OPENAPI = {
    *("type", "format", "title", "description", "nullable", "enum", "items", "minItems", "maxItems"),
    *("properties", "required", "propertyOrdering", "minProperties", "maxProperties", "minimum", "maximum"),
    *("minLength", "maxLength", "pattern", "example", "default", "anyOf"),
}
"""Gemini's `Schema` object (hexdocs.pm/geminix/Geminix.V1beta.Schema.html is made from it): what `parameters`, the older
field of a function, takes."""
TOOLS = offered(Offer())


def nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for one in (*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])):
        yield from nodes(one)


def depth(schema: dict[str, Any]) -> int:
    below = (*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else []))
    return (schema["type"] == "object") + max(map(depth, below), default=0)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_client_takes_a_tools_schemas(tool: ReadableTool) -> None:
    for schema in (tool.parameters, tool.output_schema or {}):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        for node in nodes(schema):
            assert isinstance(node["type"], str)
            own = set(node) - OF_EVERY_TYPE
            assert own <= KEYWORDS & OPENAI[node["type"]] & GEMINI[node["type"]], node
            if "enum" in node:
                assert node["type"] == "string"
    for node in nodes(tool.parameters):
        if node["type"] == "object":
            assert node["additionalProperties"] is False
            assert set(node.get("required", ())) <= set(node["properties"])


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_tools_arguments_are_within_the_limits_of_strict_mode(tool: ReadableTool) -> None:
    found = list(nodes(tool.parameters))
    names = [name for node in found for name in node.get("properties", ())]
    values = [value for node in found for value in node.get("enum", ())]
    assert len(names) <= MOST_PROPERTIES
    assert depth(tool.parameters) <= MOST_LEVELS
    assert sum(map(len, [*names, *values])) <= MOST_CHARACTERS
    assert len(values) <= MOST_VALUES


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_the_older_field_of_a_gemini_function_lacks_one_keyword_only(tool: ReadableTool) -> None:
    """A client that still sends `parameters` has to leave `additionalProperties` out, as of any server's tools."""
    used = {key for node in nodes(tool.parameters) for key in node}
    assert used - OPENAPI <= {"additionalProperties"}


def test_the_whole_list_is_short() -> None:
    """Before: 109550 bytes, 89112 of them of answers."""
    listed = [
        {
            "name": tool.name,
            "title": tool.title,
            "description": tool.description,
            "inputSchema": tool.parameters,
            "outputSchema": tool.output_schema,
            "annotations": tool.annotations.model_dump(exclude_none=True) if tool.annotations else None,
        }
        for tool in TOOLS
    ]
    size = len(json.dumps(listed, separators=(",", ":")))
    assert size < 40_000, size


def test_a_server_offers_the_sets_and_the_rights_that_its_person_chose() -> None:
    names = {one: {tool.name for tool in offered(Offer((one,)))} for one in SETS}
    assert {"list_tasks", "get_task"} <= names["search"] & names["judge"]
    assert "start_search" not in names["judge"]
    assert "test_kernel" not in names["search"]
    reading = {tool.name for tool in offered(Offer(read_only=True))}
    assert reading.isdisjoint({"create_task", "update_task", "start_search", "cancel_search", "cancel_job"})
    assert {"test_kernel", "search_result"} <= reading


def test_every_dtype_can_be_asked_for() -> None:
    assert set(TypeAdapter(Dtype).json_schema()["enum"]) == set(DTYPE_BYTES)


class Inner(BaseModel):
    word: Literal["a", "b"]
    number: int | None = None


class Outer(BaseModel):
    """What it is."""

    many: list[Inner]
    one: Inner | None = None


class Free(BaseModel):
    sizes: dict[str, int]


class Either(BaseModel):
    value: int | str


def test_references_unions_with_null_defaults_and_titles_are_gone() -> None:
    inner = {
        "type": "object",
        "properties": {"word": {"type": "string", "enum": ["a", "b"]}, "number": {"type": "integer"}},
        "required": ["word"],
        "additionalProperties": False,
    }
    assert argument_schema(Outer.model_json_schema()) == {
        "type": "object",
        "description": "What it is.",
        "properties": {"many": {"type": "array", "items": inner}, "one": inner},
        "required": ["many"],
        "additionalProperties": False,
    }
    answered = answer_schema(Outer.model_json_schema())
    assert answered["properties"]["one"]["properties"] == {
        "word": {"type": "string"},
        "number": {"type": "integer"},
    }


@pytest.mark.parametrize("model", [Free, Either])
def test_what_some_client_refuses_is_never_published(model: type[BaseModel]) -> None:
    with pytest.raises(TypeError, match="no client takes"):
        argument_schema(model.model_json_schema())


def test_the_golden_files_are_those_of_the_tools() -> None:
    kept = {
        path.stem
        for folder in ("tests/tools/mcp", "tests/agent/mcp")
        for path in Path(folder, "golden").glob("*.json")
    }
    assert kept == {tool.name for tool in TOOLS}
