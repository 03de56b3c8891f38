"""An OpenAI-compatible chat endpoint on a local socket, answering from a script."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prompts import load_role

ROLES = ("planner", "coder", "speed_critic", "failure_critic", "drafter", "explainer")


@dataclass(frozen=True)
class Question:
    """One request: who asks (planner, coder, critic, drafter, explainer), what, and under which idempotency key."""

    role: str
    text: str
    body: dict[str, Any]
    key: str = ""


@dataclass(frozen=True)
class Raw:
    """An answer byte by byte; `pause_s` passes between its first half and the second."""

    body: str
    status: int = 200
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    pause_s: float = 0.0


Answer = str | int | Raw
"""What the model says (as a stream where one is asked for), an HTTP status to fail with, or what to send."""


@dataclass
class ModelServer:
    """The endpoint's address, and everything it was asked."""

    url: str = ""
    asked: list[Question] = field(default_factory=list)
    answered: list[Question] = field(default_factory=list)

    def of(self, role: str) -> list[Question]:
        return [question for question in self.answered if question.role == role]


@contextmanager
def serving(answer: Callable[[Question], Answer]) -> Iterator[ModelServer]:
    """Serve until the block ends; `answer` runs in a thread of its own for each request."""
    state = ModelServer()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            return None

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            question = _question(body, self.headers.get("idempotency-key", ""))
            state.asked.append(question)
            raw = _raw(answer(question), body)
            data = raw.body.encode()
            try:
                self.send_response(raw.status)
                for name, value in {"retry-after-ms": "1", **dict(raw.headers)}.items():
                    self.send_header(name, value)
                self.send_header("content-type", raw.kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) // 2])
                self.wfile.flush()
                time.sleep(raw.pause_s)
                self.wfile.write(data[len(data) // 2 :])
            except (BrokenPipeError, ConnectionResetError):
                return
            if raw.status == 200:
                state.answered.append(question)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _question(body: dict[str, Any], key: str) -> Question:
    system, user = body["messages"][0], body["messages"][-1]
    # What drafters and explainers are told goes on with the rules of a kernel file, or with the facts of a run.
    role = next(name for name in ROLES if system["content"].startswith(load_role(name)[:200]))
    return Question(role.rpartition("_")[2], user["content"], body, key)


def _raw(said: Answer, body: dict[str, Any]) -> Raw:
    if isinstance(said, Raw):
        return said
    if isinstance(said, int):
        return Raw("{}", said)
    if body.get("stream"):
        return Raw(stream(said), kind="text/event-stream")
    return Raw(_completion(body["model"], said))


def stream(text: str) -> str:
    """Return a completion as a stream of events: the text in two parts, then the token counts."""
    half = len(text) // 2
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": text[:half]}}]},
        {"choices": [{"index": 0, "delta": {"content": text[half:]}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107}},
    ]
    events = [json.dumps({"id": "x", "object": "chat.completion.chunk", **chunk}) for chunk in chunks]
    return "".join(f": alive\n\ndata: {event}\n\n" for event in [*events, "[DONE]"])


def _completion(model: str, text: str) -> str:
    message = {"role": "assistant", "content": text}
    return json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107},
        }
    )
