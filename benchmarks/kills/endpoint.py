"""A scripted endpoint in a process of its own, which tells what it answered."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, cast

from tools.tasks.folder import find

TASK = "vector_add"
TOKENS = 107
"""Of each answer, read and written."""
ANSWER_S = 0.01
"""An answer takes this long at most."""


@dataclass
class Endpoint:
    """A scripted endpoint in a process of its own: an answer is a kernel that no other answer is."""

    url: str
    pipe: Connection

    def answered(self) -> Counter[str]:
        """Return how often each question was answered since the last time that this was asked."""
        self.pipe.send("answered")
        return Counter(cast("list[str]", self.pipe.recv()))


@dataclass
class _Script:
    """What the endpoint says."""

    answered: list[str] = field(default_factory=list[str])
    number: int = 0

    def reply(self, body: dict[str, Any]) -> bytes:
        self.number += 1
        time.sleep(ANSWER_S * random.random())
        first = str(body["messages"][0]["content"])
        text = "The loads are what it waits for."
        if first.startswith("# Role\n\nYou write one CUDA kernel file"):
            latency = 10.0 + 90.0 / self.number
            text = f"```cuda\n{_kernel()}// takes {latency:.9f} us\n```\n"
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": TOKENS - 7, "completion_tokens": 7, "total_tokens": TOKENS}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        whole = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        return json.dumps({**whole, "usage": usage}).encode()


def said(messages: Sequence[dict[str, Any]]) -> str:
    """Return what a question is known by on both sides: who said what."""
    return json.dumps([[message["role"], message["content"]] for message in messages])


def _kernel() -> str:
    return find(TASK).baseline


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    """Of two searches' coders, who ask at once; whom five have no room for tries again a second later."""
    daemon_threads = True


def _serve(pipe: Connection) -> None:
    """Be the endpoint until the pipe is closed."""
    script = _Script()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            return None

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            asked = self.rfile.read(length)
            if len(asked) < length:  # whoever asked was killed meanwhile
                return
            body = json.loads(asked)
            data = script.reply(body)
            with suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                script.answered.append(said(body["messages"]))

    server = _Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    pipe.send(f"http://127.0.0.1:{server.server_port}/v1")
    with suppress(EOFError):
        while pipe.recv():
            told, script.answered = script.answered, []
            pipe.send(told)


@contextmanager
def serving() -> Generator[Endpoint, None, None]:
    """Start the endpoint in a process of its own, so that this one has no threads when it forks."""
    context = get_context("fork")
    mine, its = context.Pipe()
    process = context.Process(target=_serve, args=(its,), daemon=True)
    process.start()
    its.close()
    try:
        yield Endpoint(cast("str", mine.recv()), mine)
    finally:
        mine.close()
        process.kill()
        process.join()
