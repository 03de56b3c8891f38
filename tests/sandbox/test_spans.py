from __future__ import annotations

import subprocess
import sys

import pytest

from sandbox.spans import asked_for, begin, span

TRACED = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sandbox.spans import ROUND, begin, carried, going_on_below, span

kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
outer = begin("round 1", {ROUND: 1})
try:
    with span("write", below=outer) as told:
        told.set_attribute("warpwright.candidate", 2)
        with span("worker compile"):
            raise ValueError("the key is sk-planted")
except ValueError:
    pass
outer.end()
worker, write, round_1 = kept.get_finished_spans()
assert write.parent.span_id == round_1.context.span_id and worker.parent.span_id == write.context.span_id
assert dict(write.attributes) == {"warpwright.candidate": 2, "error.type": "ValueError"}
assert "sk-planted" not in "".join(one.to_json() for one in (worker, write, round_1))
kept.clear()
with span("tools/call"):
    sent = carried()
with going_on_below(sent), span("search"):
    pass
with going_on_below(""), span("another"):
    pass
call, search, another = kept.get_finished_spans()
assert search.parent.span_id == call.context.span_id and search.context.trace_id == call.context.trace_id
assert another.parent is None
"""


@pytest.fixture(autouse=True)
def nothing_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def test_spans_are_told_only_where_the_environment_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not asked_for()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert asked_for()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert not asked_for()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert not asked_for()


def test_what_nobody_asked_for_needs_no_library() -> None:
    code = (
        "import sys\nfrom sandbox.spans import begin, span\nbegin('a', {}).end()\n"
        "with span('b') as told: told.set_attribute('c', 1)\n"
        "assert not any(name.startswith('opentelemetry') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(ValueError, match="as it was"), span("a", below=begin("b", {})):
        raise ValueError("as it was")


def test_spans_lie_below_one_another_and_tell_errors_by_their_type() -> None:
    subprocess.run([sys.executable, "-c", TRACED], check=True, env={"OTEL_TRACES_EXPORTER": "otlp"})
