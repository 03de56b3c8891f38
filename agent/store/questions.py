"""What models were asked, kept beside their answers: each message once, compressed, by content."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select

from agent.store.engines import lock
from agent.store.tables import insert_new, messages, questions

_KNOWN = select(messages.c.sha).where(messages.c.sha == bindparam("of"))
_BODY = select(messages.c.body).where(messages.c.sha == bindparam("of"))
_OF_RUN = select(questions).where(questions.c.run == bindparam("of"))

Message = Mapping[str, Any]
"""A message as chat endpoints and training libraries have it: role, content, and calls of tools where it has some."""


@dataclass(frozen=True)
class Asked:
    """One question: the conversation before the answer, and the tools that were offered with it."""

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()


def keep_question(connection: Connection, run: str, prompt: str, asked: Asked) -> None:
    """Store a question in the transaction that stores its answer; `prompt` is what the answer is known by."""
    lock(connection, messages.name, shared=True)
    shas = [_keep(connection, message) for message in asked.messages]
    tools = _keep(connection, list(asked.tools)) if asked.tools else None
    row = {"run": run, "prompt": prompt, "messages": json.dumps(shas), "tools": tools}
    connection.execute(insert_new(connection, questions), row)


def find_questions(connection: Connection, run: str, prompts: Iterable[str]) -> dict[str, Asked]:
    """Return the questions of a run by what their answers are known by; those that were not kept are left out."""
    wanted = set(prompts)
    rows = connection.execute(_OF_RUN, {"of": run}).mappings().all()
    found = [row for row in rows if row["prompt"] in wanted]
    bodies: dict[str, Any] = {}
    for row in found:
        for sha in [*json.loads(row["messages"]), *([row["tools"]] if row["tools"] else [])]:
            if sha not in bodies:
                bodies[sha] = _read(connection, sha)
    return {
        row["prompt"]: Asked(
            tuple(bodies[sha] for sha in json.loads(row["messages"])),
            tuple(bodies[row["tools"]]) if row["tools"] else (),
        )
        for row in found
    }


def _keep(connection: Connection, value: object) -> str:
    text = json.dumps(value, sort_keys=True).encode()
    sha = hashlib.sha256(text).hexdigest()
    if connection.execute(_KNOWN, {"of": sha}).first() is None:
        row = {"sha": sha, "body": zlib.compress(text)}
        connection.execute(insert_new(connection, messages), row)  # another run may have said it meanwhile
    return sha


def _read(connection: Connection, sha: str) -> Any:
    return json.loads(zlib.decompress(connection.execute(_BODY, {"of": sha}).scalar_one()))
