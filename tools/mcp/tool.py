"""A tool as every client can call it and every model can read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools.base import Tool
from mcp.types import CallToolResult, InputRequiredResult, ResourceLink, TextContent, ToolAnnotations
from pydantic import BaseModel, ValidationError

from tools.mcp.arguments import in_words, read_arguments
from tools.mcp.by_tools import by_tools
from tools.mcp.reading import links_of, text_of
from tools.mcp.schemas import answer_schema, argument_schema

READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
"""A tool that changes nothing."""
CREATES = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
"""A tool that adds something, once."""


class ReadableTool(Tool):
    """A tool whose answer is a model: its text is written for reading, its structured content holds the same."""

    @classmethod
    def of(
        cls,
        name: str,
        title: str,
        function: Callable[..., Any],
        annotations: ToolAnnotations = READS,
        described: int = 9,
    ) -> ReadableTool:
        """Make a tool of a function; its docstring is what models are told of it, its arguments so deep."""
        made = cls._read(name, title, function, described)
        return made.model_copy(update={"annotations": annotations})

    # A server lists its tools twice, and reading the types of all takes a tenth of a second.
    @classmethod
    @lru_cache(maxsize=64)
    def _read(cls, name: str, title: str, function: Callable[..., Any], described: int) -> ReadableTool:
        description = " ".join((function.__doc__ or "").split())  # else they read the docstring's indentation
        made = cls.from_function(function, name, title, description)
        assert isinstance(made, cls), "a tool is of the class that makes it"
        made.parameters = argument_schema(made.parameters, described)
        made.fn_metadata.output_schema = answer_schema(made.fn_metadata.output_schema or {})
        return made

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.annotations is not None and bool(self.annotations.read_only_hint)

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> Any:
        """Call the tool with what a client sent, and answer in text and structured content.

        Raises:
            ToolError: An argument cannot be used, or the tool says what is wrong.
        """
        read = read_arguments(self.name, arguments, self.parameters)
        try:
            self.fn_metadata.validate_arguments(read)
        except ValidationError as error:
            raise ToolError(in_words(error)) from error
        try:
            answer = await super().run(read, context)
        except UnexpectedToolError:
            raise
        except ToolError as error:  # without the SDK's prefix: the client knows which tool it called
            raise ToolError(by_tools(str(error.__cause__ or error))) from error
        if isinstance(answer, InputRequiredResult) or not convert_result:
            return answer
        return result_of(answer)


def result_of(answer: BaseModel) -> CallToolResult:
    """Return an answer as text for models, as links to what has no place in it, and as data."""
    links = [
        ResourceLink(type="resource_link", name=one.name, uri=one.uri, mime_type=one.mime_type)
        for one in links_of(answer)
    ]
    return CallToolResult(
        content=[TextContent(type="text", text=text_of(answer)), *links],
        structured_content=json.loads(answer.model_dump_json(exclude_none=True)),
    )
