"""Where this process's spans go: an OTLP endpoint or standard error, as OpenTelemetry's own variables say."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sandbox.errors import MissingDependencyError, UsageError
from sandbox.spans import asked_for

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_FLUSH_MS = 5_000


@contextmanager
def exporting() -> Generator[None]:
    """Send on what spans there are until the end, where the environment asks for it.

    `OTEL_EXPORTER_OTLP_ENDPOINT` and its kin name an endpoint for OTLP over HTTP, `OTEL_TRACES_EXPORTER=console`
    writes them to standard error, `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say whose they are.

    Raises:
        MissingDependencyError: They are asked for, and the extra `observe` is not installed.
        UsageError: The exporter that is asked for is none of otlp, console and none.
    """
    if not asked_for():
        yield
        return
    from importlib.metadata import version

    try:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise _lacking() from error
    service = {"service.name": os.environ.get("OTEL_SERVICE_NAME", "warpwright")}
    resource = Resource.create(service | {"service.version": version("warpwright")})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_exporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.force_flush(_FLUSH_MS)
        provider.shutdown()


def _exporter() -> SpanExporter:
    match os.environ.get("OTEL_TRACES_EXPORTER", "otlp"):
        case "console":
            from opentelemetry.sdk.trace.export import ConsoleSpanExporter

            return ConsoleSpanExporter(out=sys.stderr, formatter=lambda one: one.to_json(indent=None) + "\n")
        case "otlp":
            try:
                from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            except ImportError as error:
                raise _lacking() from error
            return OTLPSpanExporter()
        case other:
            raise UsageError(f"OTEL_TRACES_EXPORTER: expected otlp, console or none, found {other!r}")


def _lacking() -> MissingDependencyError:
    return MissingDependencyError(
        "the environment asks for OpenTelemetry's spans (OTEL_...), whose exporter is not installed: "
        "pip install 'warpwright[observe]', or set OTEL_SDK_DISABLED=true"
    )
