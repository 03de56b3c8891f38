"""What a server tells Prometheus: its requests and its process, and what all runs of its home come to.

Searches run in other processes, which end and begin: of them the store knows more than any process, so their numbers
are added up from it whenever somebody asks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.types import CallToolResult
from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from agent.home import Home
from agent.store import Store
from agent.store.failures import StoreError
from sandbox.errors import UsageError

_LAST_PORT = 65535
_SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 20, 45)
"""Bounds of a histogram; no answer takes longer than 45 s."""

_METHODS = frozenset(
    (
        *("initialize", "server/discover", "ping", "completion/complete", "logging/setLevel"),
        *("tools/list", "tools/call", "prompts/list", "prompts/get"),
        *("resources/list", "resources/read", "resources/templates/list", "resources/subscribe"),
        *("resources/unsubscribe", "tasks/get", "tasks/result", "tasks/cancel", "tasks/list", "tasks/update"),
        *("subscriptions/listen", "notifications/initialized", "notifications/cancelled"),
    )
)
"""Others are told as one, or callers could make up labels without end."""


class RunTotals(Collector):
    """Adds up the store of a home at each reading."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._store: Store | None = None

    def collect(self) -> Iterator[Metric]:
        """Give the totals; none while the store cannot be read, for a reading must not fail."""
        totals = None
        with suppress(StoreError, OSError):
            self._store = self._store or Store(self._home)
            totals = self._store.totals()
        up = GaugeMetricFamily("warpwright_store_up", "Whether the store of runs can be read.")
        up.add_metric([], 0 if totals is None else 1)
        yield up
        if totals is None:
            return
        for name, what, counts in (
            ("warpwright_runs", "Runs by state.", totals.runs),
            ("warpwright_jobs", "Jobs that outlast their calls, by state.", totals.jobs),
        ):
            gauge = GaugeMetricFamily(name, what, labels=["state"])
            for state, count in sorted(counts.items()):
                gauge.add_metric([state], count)
            yield gauge
        judged = CounterMetricFamily("warpwright_candidates", "Candidates by verdict.", labels=["verdict"])
        for verdict, count in sorted(totals.candidates.items()):
            judged.add_metric([verdict], count)
        yield judged
        tokens = CounterMetricFamily(
            "warpwright_model_tokens", "Tokens of models.", labels=["model", "direction"]
        )
        for (model, direction), count in sorted(totals.tokens.items()):
            tokens.add_metric([model, direction], count)
        yield tokens
        usd = CounterMetricFamily(
            "warpwright_model_usd", "Price of models' answers, in US dollars.", labels=["model"]
        )
        for model, price in sorted(totals.usd.items()):
            usd.add_metric([model], price)
        yield usd


class RequestMetrics:
    """Middleware of a server that counts and times what it is asked."""

    def __init__(self, registry: CollectorRegistry, tools: frozenset[str]) -> None:
        """Register what is counted; names of tools that are none of `tools` are told as one."""
        self._tools = tools
        labels = ["method", "tool", "outcome"]
        self._count = Counter(
            "warpwright_requests", "Requests of the protocol by their outcome.", labels, registry=registry
        )
        self._seconds = Histogram(
            "warpwright_request_seconds",
            "Seconds until a request was answered.",
            ["method", "tool"],
            buckets=_SECONDS,
            registry=registry,
        )

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Answer one request."""
        method = ctx.method if ctx.method in _METHODS else "other"
        tool, started, outcome = self._tool_of(ctx), time.monotonic(), "error"
        try:
            result = await call_next(ctx)
            outcome = "tool_error" if _failed(result) else "ok"
            return result
        finally:
            self._count.labels(method, tool, outcome).inc()
            self._seconds.labels(method, tool).observe(time.monotonic() - started)

    def _tool_of(self, ctx: ServerRequestContext[Any, Any]) -> str:
        if ctx.method != "tools/call":
            return ""
        params = cast("dict[str, Any]", ctx.params or {})
        name = params.get("name")
        return name if name in self._tools else "unknown"


def _failed(result: HandlerResult) -> bool:
    """Whether a tool says that it failed, as the SDK's own class or as what goes over the wire."""
    if isinstance(result, CallToolResult):
        return bool(result.is_error)
    return isinstance(result, dict) and bool(result.get("isError"))


def open_metrics(home: Home, address: str, tools: frozenset[str]) -> tuple[RequestMetrics, str]:
    """Answer Prometheus on a port of its own until the process ends; return the middleware, and the URL.

    Args:
        home: Whose runs are added up.
        address: `HOST:PORT`, or a port of this machine alone; port 0 takes a free one.
        tools: Names of what the server offers.

    Raises:
        UsageError: The address is none, or cannot be listened on.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isascii() or not port.isdigit() or int(port) > _LAST_PORT:
        raise UsageError(f"--metrics: expected HOST:PORT or PORT, found {address!r}")
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(RunTotals(home))
    counted = RequestMetrics(registry, tools)
    try:
        server, _ = start_http_server(int(port), host, registry)
    except OSError as error:
        raise UsageError(f"--metrics {address} cannot be listened on: {error.strerror or error}") from None
    return counted, f"http://{host if ':' not in host else f'[{host}]'}:{server.server_port}/metrics"
