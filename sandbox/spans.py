"""OpenTelemetry spans: what took how long, where the environment asks for them.

The names are those of the semantic conventions for generative AI (open-telemetry/semantic-conventions-genai 0.1.0,
all of them in development) where these have one, and `warpwright.*` otherwise; they are written here alone.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Protocol

OPERATION = "gen_ai.operation.name"
AGENT = "gen_ai.agent.name"
CONVERSATION = "gen_ai.conversation.id"
REQUEST_MODEL = "gen_ai.request.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
TOOL = "gen_ai.tool.name"
ERROR = "error.type"

TASK = "warpwright.task"
DEVICE = "warpwright.device"
ROUND = "warpwright.round"
CANDIDATE = "warpwright.candidate"
ROLE = "warpwright.role"
VERDICT = "warpwright.verdict"
LATENCY_US = "warpwright.latency_us"
USD = "warpwright.usd"
SENT_BYTES = "warpwright.worker.sent_bytes"
RECEIVED_BYTES = "warpwright.worker.received_bytes"

_ASKING = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

Value = str | bool | int | float | list[str]


class Span(Protocol):
    """What is going on, and what is said of it."""

    def set_attribute(self, key: str, value: Value) -> None:
        """Say one thing more."""
        ...

    def end(self) -> None:
        """It is over; needed of what `begin` returned only."""
        ...


class _Untold:
    """A span that nobody asked for."""

    def set_attribute(self, key: str, value: Value) -> None:
        """Say nothing."""

    def end(self) -> None:
        """End nothing."""


def asked_for() -> bool:
    """Whether the environment names an exporter or an endpoint, in OpenTelemetry's own variables."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get(_ASKING[0]) == "none":
        return False
    return any(os.environ.get(name) for name in _ASKING)


def begin(name: str, said: Mapping[str, Value]) -> Span:
    """Tell of work that is begun here and ends elsewhere, below the span that is open in this context."""
    if not asked_for():
        return _Untold()
    from opentelemetry import trace

    return trace.get_tracer("warpwright").start_span(name, attributes=dict(said))


@contextmanager
def span(name: str, said: Mapping[str, Value] | None = None, *, below: Span | None = None) -> Generator[Span]:
    """Tell of a piece of work as a span below another one.

    An exception is told by its type alone: its message may quote what nobody else is to read.

    Args:
        name: As the conventions want it, for example `chat MODEL` or `execute_tool NAME`.
        said: Attributes, by the names above.
        below: What `begin` returned; None for the span that is open in this context.
    """
    if not asked_for():
        yield _Untold()
        return
    from opentelemetry import trace
    from opentelemetry.trace import StatusCode

    tracer = trace.get_tracer("warpwright")
    context = trace.set_span_in_context(below) if isinstance(below, trace.Span) else None
    with tracer.start_as_current_span(
        name,
        context,
        attributes=dict(said or {}),
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute(ERROR, type(error).__qualname__)
            current.set_status(StatusCode.ERROR)
            raise


def carried() -> str:
    """Return the span that is open here as another process can go on below it (W3C's `traceparent`); "" for none."""
    if not asked_for():
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent", "")


@contextmanager
def going_on_below(traceparent: str) -> Generator[None]:
    """Tell of what is done inside below a span of another process; of nothing else where `traceparent` is none."""
    if not traceparent or not asked_for():
        yield
        return
    from opentelemetry import context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    token = context.attach(TraceContextTextMapPropagator().extract({"traceparent": traceparent}))
    try:
        yield
    finally:
        context.detach(token)
