"""What errors advise, by the tools that a client has: stores and searches tell people which command to give."""

from __future__ import annotations

import re

_ADVICE = (
    (re.compile(r"`warpwright runs` lists them"), "list_searches names them"),
    (re.compile(r"go on with: warpwright resume (\S+)"), r"go on with: start_search(resume='\1')"),
    (
        re.compile(r"judge kernels of your own with `warpwright check`"),
        "judge kernels of your own (test_kernel)",
    ),
    (re.compile(r"or configure a model with --model"), "or start_search(model=...)"),
    (re.compile(r"configure a model with --model"), "start_search(model=...) asks a model"),
    (re.compile(r"\bor give --base-url for a server"), "or have its person give --base-url for a server"),
    (re.compile(r"without --model the built-in"), "without a model the built-in"),
)


def by_tools(message: str) -> str:
    """Return a message in which each command that a person would give is the call of a tool."""
    for command, call in _ADVICE:
        message = command.sub(call, message)
    return message
