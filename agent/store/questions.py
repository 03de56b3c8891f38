"""What models were asked, kept beside their answers: each message once, compressed, by content."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Message = Mapping[str, Any]
"""A message as chat endpoints and training libraries have it: role, content, and calls of tools where it has some."""


@dataclass(frozen=True)
class Asked:
    """One question: the conversation before the answer, and the tools that were offered with it."""

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()


def keep_question(connection: sqlite3.Connection, run: str, prompt: str, asked: Asked) -> None:
    """Store a question in the transaction that stores its answer; `prompt` is what the answer is known by."""
    shas = [_keep(connection, message) for message in asked.messages]
    tools = _keep(connection, list(asked.tools)) if asked.tools else None
    connection.execute(
        "INSERT OR IGNORE INTO questions (run, prompt, messages, tools) VALUES (?, ?, ?, ?)",
        (run, prompt, json.dumps(shas), tools),
    )


def find_questions(connection: sqlite3.Connection, run: str, prompts: Iterable[str]) -> dict[str, Asked]:
    """Return the questions of a run by what their answers are known by; those that were not kept are left out."""
    wanted = set(prompts)
    rows = connection.execute("SELECT * FROM questions WHERE run = ?", (run,)).fetchall()
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


def _keep(connection: sqlite3.Connection, value: object) -> str:
    text = json.dumps(value, sort_keys=True).encode()
    sha = hashlib.sha256(text).hexdigest()
    known = connection.execute("SELECT 1 FROM messages WHERE sha = ?", (sha,)).fetchone()
    if known is None:
        connection.execute("INSERT INTO messages (sha, body) VALUES (?, ?)", (sha, zlib.compress(text)))
    return sha


def _read(connection: sqlite3.Connection, sha: str) -> Any:
    row = connection.execute("SELECT body FROM messages WHERE sha = ?", (sha,)).fetchone()
    return json.loads(zlib.decompress(row["body"]))
