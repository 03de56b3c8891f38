"""The suite's tools that ask the client for something, in the way of each of the protocol's eras."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Resolve, Sample
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)
from pydantic import Field

_TITLED = [{"const": "value1", "title": "First"}, {"const": "value2", "title": "Second"}]
_PLAIN = ["option1", "option2", "option3"]
_ENUMS: dict[str, Any] = {
    "untitledSingle": {"type": "string", "enum": _PLAIN},
    "titledSingle": {"type": "string", "oneOf": _TITLED},
    "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _PLAIN}},
    "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
}
_DEFAULTS: dict[str, Any] = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}


def schema(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def message(text: str) -> SamplingMessage:
    return SamplingMessage(role="user", content=TextContent(type="text", text=text))


def elicit(text: str, **types: str) -> ElicitRequest:
    asked = schema({name: {"type": kind} for name, kind in types.items()}, *types)
    return ElicitRequest(params=ElicitRequestFormParams(message=text, requested_schema=asked))


def sample(text: str) -> CreateMessageRequest:
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message(text)], max_tokens=100))


def need(
    ctx: Context, requests: dict[str, InputRequest], state: str | None = None
) -> InputRequiredResult | None:
    """Return what to ask; None once everything is answered."""
    if requests.keys() <= (ctx.input_responses or {}).keys():
        return None
    return InputRequiredResult(input_requests=requests, request_state=state)


def register(server: MCPServer[Any]) -> None:
    _register_of_the_older_era(server)
    _register_one_question_each(server)
    _register_several_questions(server)
    _register_what_depends_on_the_request(server)


async def _answer(prompt: str) -> Sample:
    return Sample([message(prompt)], max_tokens=100)


async def _greeting() -> Sample:
    return Sample([message("Hello")], max_tokens=100)


def _register_of_the_older_era(server: MCPServer[Any]) -> None:
    async def asked(ctx: Context, text: str, requested: dict[str, Any]) -> str:
        answer = await ctx.session.elicit_form(text, requested, related_request_id=ctx.request_id)
        return f"Elicitation completed: action={answer.action}, content={answer.content}"

    @server.tool()
    async def test_sampling(prompt: str, answer: Annotated[CreateMessageResult, Resolve(_answer)]) -> str:
        """Ask the client's model."""
        return f"LLM response to {prompt}: {answer.content}"

    @server.tool()
    async def test_elicitation(message: str, ctx: Context) -> str:
        """Ask who it is."""
        wanted = schema({"username": {"type": "string"}, "email": {"type": "string"}}, "username", "email")
        return await asked(ctx, message, wanted)

    @server.tool()
    async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
        """Ask with a default for each type."""
        return await asked(ctx, "Who are you?", schema(_DEFAULTS))

    @server.tool()
    async def test_elicitation_sep1330_enums(ctx: Context) -> str:
        """Ask with each kind of choice."""
        return await asked(ctx, "Which?", schema(_ENUMS))


def _register_one_question_each(server: MCPServer[Any]) -> None:
    @server.tool()
    async def test_input_required_result_elicitation(ctx: Context) -> str | InputRequiredResult:
        """Ask for a name."""
        return need(ctx, {"user_name": elicit("What is your name?", name="string")}) or "Hello!"

    @server.tool()
    async def test_streaming_elicitation(ctx: Context) -> str | InputRequiredResult:
        """Ask for a name, in a stream."""
        return need(ctx, {"user_name": elicit("What is your name?", name="string")}) or "Hello!"

    @server.tool()
    async def test_input_required_result_sampling(ctx: Context) -> str | InputRequiredResult:
        """Ask the client's model."""
        return need(ctx, {"capital_question": sample("What is the capital of France?")}) or "Paris."

    @server.tool()
    async def test_input_required_result_list_roots(ctx: Context) -> str | InputRequiredResult:
        """Ask for the client's roots."""
        return need(ctx, {"client_roots": ListRootsRequest()}) or f"{ctx.input_responses}"

    @server.prompt()
    async def test_input_required_result_prompt(ctx: Context) -> Any:
        """Ask for what the prompt needs."""
        question = elicit("What context should the prompt use?", context="string")
        return need(ctx, {"user_context": question}) or "Use that context."


def _register_several_questions(server: MCPServer[Any]) -> None:
    @server.tool()
    async def test_input_required_result_multiple_inputs(ctx: Context) -> str | InputRequiredResult:
        """Ask three things at once."""
        requests: dict[str, InputRequest] = {
            "user_name": elicit("What is your name?", name="string"),
            "greeting": sample("Generate a greeting"),
            "client_roots": ListRootsRequest(),
        }
        return need(ctx, requests, "asked") or "Done."

    @server.tool()
    async def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
        """Ask one thing after the other."""
        if ctx.request_state is None:
            return need(ctx, {"step1": elicit("Step 1: What is your name?", name="string")}, "1") or "Done."
        if ctx.request_state == "1":
            return need(ctx, {"step2": elicit("Step 2: Which color?", color="string")}, "2") or "Done."
        return "Done."


def _register_what_depends_on_the_request(server: MCPServer[Any]) -> None:
    @server.tool()
    async def test_input_required_result_request_state(ctx: Context) -> str | InputRequiredResult:
        """Say whether the state came back."""
        asked = need(ctx, {"confirm": elicit("Please confirm", ok="boolean")}, "asked")
        return asked or ("state-ok" if ctx.request_state == "asked" else "state-lost")

    @server.tool()
    async def test_input_required_result_tampered_state(ctx: Context) -> str | InputRequiredResult:
        """Trust only the state that was sent."""
        return need(ctx, {"confirm": elicit("Please confirm", ok="boolean")}, "asked") or "Done."

    @server.tool()
    async def test_input_required_result_capabilities(ctx: Context) -> str | InputRequiredResult:
        """Ask only for what the client offers."""
        offered, requests = ctx.client_capabilities, dict[str, InputRequest]()
        if offered is not None and offered.sampling is not None:
            requests["sampled"] = sample("Hello")
        if offered is not None and offered.elicitation is not None:
            requests["elicited"] = elicit("Hello?", answer="string")
        return need(ctx, requests) or "Done."

    @server.tool()
    async def test_missing_capability(answer: Annotated[CreateMessageResult, Resolve(_greeting)]) -> str:
        """Need a model of the client."""
        return f"{answer.content}"

    @server.tool()
    async def test_x_mcp_header(
        region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
    ) -> str:
        """Have an argument that is also a header."""
        return region
