"""Spans of a real search, as a collector on a socket gets them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from sandbox.spans import INPUT_TOKENS, TOOL, VERDICT
from tests.agent.model_server import Question, serving

ROOT = Path(__file__).parents[2]
SECRET = "sk-planted-5f2a77c1"
"""The model's key: it must be in nothing that is written or sent on."""
KERNEL = """```cuda
//@ launch add<<<ceil_div(n, 256), 256>>>(x, y, out, n)
__global__ void add(const float* x, const float* y, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = x[i] + y[i];
}
```"""


@dataclass
class Collector:
    url: str = ""
    spans: list[Span] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def named(self, name: str) -> Span:
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def below(self, parent: Span) -> set[str]:
        return {span.name for span in self.spans if span.parent_span_id == parent.span_id}


@contextmanager
def collecting() -> Iterator[Collector]:
    state = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            state.bodies.append(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    state.spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def said(span: Span) -> dict[str, str | int]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def run(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    more = {"WARPWRIGHT_HOME": str(home), "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-m", "warpwright", *arguments]
    return subprocess.run(command, env=kept | more | environment, capture_output=True, text=True, check=False)


def test_a_search_is_told_as_a_tree_of_spans_and_its_key_is_written_nowhere(
    tmp_path: Path, quick: str
) -> None:
    def answer(question: Question) -> str:
        return KERNEL if question.role == "coder" else "Memory traffic decides here."

    with serving(answer) as model, collecting() as collector:
        done = run(
            tmp_path / "home",
            *("optimize", quick, "--device", "sim:h200", "--model", "some-model", "--base-url", model.url),
            *("--candidates", "1", "--depth", "1"),
            OPENAI_API_KEY=SECRET,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        )
    assert done.returncode == 0, done.stderr
    search, first = collector.named("invoke_agent warpwright"), collector.named("round 1")
    assert first.parent_span_id == search.span_id
    assert {"plan", "write", "judge"} <= collector.below(first)
    chats = [span for span in collector.spans if span.name == "chat some-model"]
    assert chats
    assert all(INPUT_TOKENS in said(chat) for chat in chats)
    checks = [span for span in collector.spans if span.name == "execute_tool check"]
    assert [said(check)[TOOL] for check in checks] == ["check"] * len(checks)
    assert "pass" in {said(check)[VERDICT] for check in checks}
    assert "worker simulate" in {name for check in checks for name in collector.below(check)}

    written = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert len(written) > 3
    everything = [path.read_bytes() for path in written] + collector.bodies
    everything += [done.stdout.encode(), done.stderr.encode()]
    assert not [one for one in everything if SECRET.encode() in one]


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "expected otlp, console or none, found 'jaeger'"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "PYTHONPATH": "{without}"}, "pip install 'warpwright[observe]'"),
    ],
)
def test_what_cannot_be_exported_to_is_one_clear_line(
    tmp_path: Path, variables: dict[str, str], complaint: str
) -> None:
    hidden = tmp_path / "without" / "opentelemetry" / "sdk"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('hidden by a test')\n")
    for folder in (hidden.parent,):
        (folder / "__init__.py").write_text(
            "import pkgutil\n__path__ = pkgutil.extend_path(__path__, __name__)\n"
        )
    given = {key: value.format(without=f"{tmp_path / 'without'}:{ROOT}") for key, value in variables.items()}
    done = run(tmp_path / "home", "tasks", **given)
    assert done.returncode != 0
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1
