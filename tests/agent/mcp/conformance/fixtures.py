"""What the public conformance suite calls by name: tools, resources and prompts, as its scenarios describe them."""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.server.mcpserver.utilities.types import Audio, Image
from mcp.types import EmbeddedResource, TextContent, TextResourceContents


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_HEADER = _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
_PIXELS = _chunk(b"IDAT", zlib.compress(b"\0\xff\0\0"))
RED_PIXEL = b"\x89PNG\r\n\x1a\n" + _HEADER + _PIXELS + _chunk(b"IEND", b"")
SILENCE = b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
SILENCE += b"data" + struct.pack("<I", 0)

_ADDRESS = {
    "$anchor": "addressDef",
    "type": "object",
    "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
}
_SCHEMA_2020_12: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": _ADDRESS},
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def embedded(uri: str, text: str, mime_type: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(
        type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    )


def register(server: MCPServer[Any]) -> None:
    _register_contents(server)
    _register_behaviours(server)
    _register_resources(server)
    _register_prompts(server)


def _register_contents(server: MCPServer[Any]) -> None:
    @server.tool()
    def test_simple_text() -> str:
        """Answer with text."""
        return "This is a simple text response for testing."

    @server.tool(structured_output=False)
    def test_image_content() -> Image:
        """Answer with an image."""
        return Image(data=RED_PIXEL, format="png")

    @server.tool(structured_output=False)
    def test_audio_content() -> Audio:
        """Answer with sound."""
        return Audio(data=SILENCE, format="wav")

    @server.tool(structured_output=False)
    def test_embedded_resource() -> EmbeddedResource:
        """Answer with a resource."""
        return embedded("test://embedded-resource", "This is an embedded resource content.")

    @server.tool(structured_output=False)
    def test_multiple_content_types() -> list[Any]:
        """Answer with a text, an image and a resource."""
        data = json.dumps({"test": "data", "value": 123})
        return [
            TextContent(type="text", text="Multiple content types test:"),
            Image(data=RED_PIXEL, format="png"),
            embedded("test://mixed-content-resource", data, "application/json"),
        ]


def _register_behaviours(server: MCPServer[Any]) -> None:
    @server.tool()
    def test_error_handling() -> str:
        """Fail."""
        raise ToolError("This tool intentionally returns an error for testing")

    @server.tool()
    async def test_tool_with_progress(ctx: Context) -> str:
        """Report progress three times."""
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100)
            await asyncio.sleep(0.05)
        return "Done."

    @server.tool()
    async def test_reconnection(ctx: Context) -> str:
        """Close the stream and go on."""
        await ctx.close_sse_stream()
        await asyncio.sleep(0.1)
        return "Done."

    @server.tool()
    async def test_logging_tool() -> str:
        """Log nothing, since no client may ask for it."""
        return "Nothing was logged."

    @server.tool()
    async def test_trigger_tool_change(ctx: Context) -> str:
        """Say that the tools changed."""
        await ctx.notify_tools_changed()
        return "Done."

    @server.tool()
    async def test_trigger_prompt_change(ctx: Context) -> str:
        """Say that the prompts changed."""
        await ctx.notify_prompts_changed()
        return "Done."

    @server.tool()
    def json_schema_2020_12_tool() -> str:
        """Have a schema with many keywords."""
        return "Done."

    # No function's signature has such a schema, and the SDK has no other way to give one.
    tool = server._tool_manager.get_tool("json_schema_2020_12_tool")
    assert tool is not None
    tool.parameters = _SCHEMA_2020_12


def _register_resources(server: MCPServer[Any]) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """A text."""
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """An image."""
        return RED_PIXEL

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        """What the address names."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def _register_prompts(server: MCPServer[Any]) -> None:
    @server.prompt()
    def test_simple_prompt() -> str:
        """A text."""
        return "This is a simple prompt for testing."

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        """A text with both arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
        """A resource and a text."""
        resource = embedded(resourceUri, "Embedded resource content for testing.")
        return [UserMessage(resource), UserMessage("Please process the embedded resource above.")]

    @server.prompt()
    def test_prompt_with_image() -> list[UserMessage]:
        """An image and a text."""
        return [UserMessage(Image(data=RED_PIXEL)), UserMessage("Please analyze the image above.")]
