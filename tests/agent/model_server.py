"""An OpenAI-compatible chat endpoint on a local socket, answering from a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prompts import load_role


@dataclass(frozen=True)
class Question:
    """One request: who asks (planner, coder, critic), and what."""

    role: str
    text: str
    body: dict[str, Any]


Answer = str | int
"""What the model says, or an HTTP status to fail with."""


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
            question = _question(body)
            state.asked.append(question)
            said = answer(question)
            status, text = (said, "{}") if isinstance(said, int) else (200, _completion(body["model"], said))
            data = text.encode()
            try:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.send_header("retry-after-ms", "1")
                self.end_headers()
                self.wfile.write(data)
            except (BrokenPipeError, ConnectionResetError):
                return
            if status == 200:
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


def _question(body: dict[str, Any]) -> Question:
    system, user = body["messages"][0], body["messages"][-1]
    roles = ("planner", "coder", "critic", "drafter", "explainer")
    # What the last two are told goes on with the rules of a kernel file, or with the facts of a run.
    role = next(name for name in roles if system["content"].startswith(load_role(name)[:200]))
    return Question(role, user["content"], body)


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
