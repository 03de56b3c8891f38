"""The fenced blocks of a model's reply, and its prose, whatever the endpoint or the model did to the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
# A template may hold the opening mark, so that only the closing one arrives; or the answer ends while it thinks.
_THOUGHT_BEFORE = re.compile(r"\A.*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_THOUGHT_AFTER = re.compile(r"\A\s*<(?:think|thinking|reasoning)>.*", re.DOTALL | re.IGNORECASE)
_CHANNELS = "<|message|>"
_STOP = re.compile(
    r"(?:[ \t]*(?:<\|[\w ]{1,40}\|>|<\uff5c[^\uff5c\n]{1,60}\uff5c>|<end_of_turn>|</s>))+[ \t]*$",
    re.MULTILINE,
)
_OPENING = re.compile(r"^(?P<indent>[ \t]*)(?P<marks>`{3,}|~{3,})[ \t]*(?P<about>[^`\n]*)$")
_LANGUAGE = re.compile(r"[\w+#-]+")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        language: What follows the opening fence, in lower case and without a title; may be empty.
        body: Its lines, each with a line end.
        cut: Whether the reply ended inside it, without a closing fence.
    """

    language: str
    body: str
    cut: bool


@dataclass(frozen=True)
class ReadReply:
    """A reply taken apart: its blocks in order, and the text around them."""

    blocks: tuple[Block, ...]
    prose: str


def answer_text(reply: str) -> str:
    """Return what of a reply is the answer: Unix line ends, no thoughts, no stop tokens."""
    text = reply.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    text = text.rpartition(_CHANNELS)[2]
    text = _THOUGHT.sub("", text)
    text = _THOUGHT_AFTER.sub("", _THOUGHT_BEFORE.sub("", text))
    return _STOP.sub("", text).strip()


def read_reply(reply: str) -> ReadReply:
    """Take a reply apart."""
    blocks: list[Block] = []
    prose: list[str] = []
    lines = iter(answer_text(reply).split("\n"))
    opening: re.Match[str] | None = None
    while True:
        if opening is None:
            line = next(lines, None)
            if line is None:
                return ReadReply(tuple(blocks), "\n".join(prose).strip())
            opening = _OPENING.match(line)
            if opening is None:
                prose.append(line)
            continue
        block, opening = _block(opening, lines)
        blocks.append(block)


def _block(opening: re.Match[str], lines: Iterator[str]) -> tuple[Block, re.Match[str] | None]:
    """Return the block that a fence opens; with it the next opening fence where that is what ended it."""
    marks, indent, body = opening["marks"], opening["indent"], list[str]()
    found = _LANGUAGE.search(opening["about"])
    language = found[0].lower() if found else ""

    def block(*, cut: bool = False) -> Block:
        return Block(language, "".join(f"{line.removeprefix(indent)}\n" for line in body), cut)

    for line in lines:
        mark = line.strip()
        if mark.startswith(marks) and not mark.strip(marks[0]):
            return block(), None
        if (again := _OPENING.match(line)) is not None and again["about"].strip():
            return block(), again
        if line.rstrip().endswith(marks) and not mark.startswith(("//", "#")):
            body.append(line.rstrip().removesuffix(marks))
            return block(), None
        body.append(line)
    return block(cut=True), None
