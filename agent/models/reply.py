"""Reads what models write: kernels, plans, critiques and drafts, as leniently as can be done safely.

One reader for every role and for `chat`: `agent.models.blocks` takes a reply apart, this says what is in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import TypeVar, cast

import json_repair
from pydantic import AliasChoices, BaseModel, Field, TypeAdapter, ValidationError

from agent.candidates import CandidatePlan
from agent.models.blocks import answer_text, read_reply
from agent.proposer import Critique, Written
from agent.store.replies import Reply

# Prose may hold brackets before the answer; a reply made of nothing else must not take forever.
_OPENINGS = 50
_LONGEST_REPAIRED = 20_000
_LAUNCH = re.compile(r"^\s*//@\s*launch\b", re.MULTILINE)
_KERNEL = re.compile(r"\b__global__\b")
_BARE = re.compile(r"\A\s*(?://|/\*|#\s*include\b)")
_PYTHON = re.compile(r"^def reference\(", re.MULTILINE)
NO_KERNEL = (
    "the reply holds no kernel file: exactly one fenced ```cuda block was expected, with `//@ launch`"
    " directives and the `__global__` functions that they launch"
)
CUT_OFF = "the reply was cut off at the token limit (finish_reason length)"

T = TypeVar("T")


class _WrappedPlans(BaseModel):
    plans: list[CandidatePlan] = Field(validation_alias=AliasChoices("plans", "candidates"))


class _OnePlan(BaseModel):
    parent: str | None = None
    features: tuple[str, ...]
    why: str = ""


_PLANS: TypeAdapter[list[CandidatePlan]] = TypeAdapter(list[CandidatePlan])
_WRAPPED: TypeAdapter[_WrappedPlans] = TypeAdapter(_WrappedPlans)
_ONE: TypeAdapter[_OnePlan] = TypeAdapter(_OnePlan)
_CRITIQUE: TypeAdapter[Critique] = TypeAdapter(Critique)


class DraftParts(BaseModel):
    """The three parts of a drafted task, as the model wrote them; None for one that is not there."""

    fields: str | None
    reference: str | None
    baseline: str | None


def kernel_of(text: str) -> str | None:
    """Return the kernel file in a reply; None where there is none.

    That is the last block with launches and kernels, else the last with either, whatever its language; else a string
    of that kind inside JSON; else the whole reply where it begins as a file does.
    """
    found = read_reply(text)
    bodies = [block.body for block in found.blocks]
    strings = [string for value in _json_values(text) for string in _strings(value)]
    bare = [found.prose] if not bodies and _BARE.match(found.prose) else []
    for candidates in (bodies, strings, bare):
        whole = [body for body in candidates if _LAUNCH.search(body) and _KERNEL.search(body)]
        partly = [body for body in candidates if _LAUNCH.search(body) or _KERNEL.search(body)]
        if chosen := whole or (partly if candidates is bodies else []):
            return chosen[-1].rstrip() + "\n"
    return None


def written_of(reply: Reply, features: tuple[str, ...]) -> Written:
    """Return what a coder's reply hands in; its kernel is taken to use the features that were asked for."""
    kernel, found = kernel_of(reply.text), read_reply(reply.text)
    if kernel is not None and reply.cut_off and found.blocks and found.blocks[-1].cut:
        kernel = None
    return Written(kernel, features, found.prose, "" if kernel is not None else _why_none(reply))


def no_answer(reply: Reply) -> str:
    """Return why a reply answers nothing, in the endpoint's words; empty where it may be an answer."""
    if reply.refusal:
        return f"the model refused: {reply.refusal}"
    if reply.finish == "content_filter":
        return "the endpoint withheld the reply (finish_reason content_filter)"
    if reply.cut_off:
        thought = " while the model was still thinking" if not answer_text(reply.text) else ""
        return f"{CUT_OFF}{thought}; raise --max-output-tokens, or ask for less reasoning"
    return ""


def _why_none(reply: Reply) -> str:
    said = no_answer(reply)
    return said or (
        NO_KERNEL if answer_text(reply.text) else f"the reply is empty: {NO_KERNEL.partition(': ')[2]}"
    )


def plans_of(reply: Reply) -> list[CandidatePlan]:
    """Return the plans in a reply; empty where none can be read."""
    for value in _structures(reply):
        if (plans := _read(_PLANS, value)) is not None and isinstance(value, list):
            return plans
        if (wrapped := _read(_WRAPPED, value)) is not None:
            return wrapped.plans
        if (one := _read(_ONE, value)) is not None:
            return [CandidatePlan(one.parent, one.features, one.why)]
    return []


def critique_of(reply: Reply) -> Critique | None:
    """Return the critique in a reply: its JSON, else its prose; None where it is empty."""
    for value in _structures(reply):
        if (critique := _read(_CRITIQUE, value)) is not None:
            return critique
    prose = read_reply(reply.text).prose
    return Critique(prose) if prose else None


def _structures(reply: Reply) -> list[object]:
    return [*(use.arguments for use in reply.uses), *_json_values(reply.text)]


def draft_of(text: str) -> DraftParts:
    """Return the parts of a drafted task, each by what it is, not only by what its fence says."""
    blocks = read_reply(text).blocks
    fields = [block.body for block in blocks if block.language in ("json", "json5", "jsonc")]
    fields = fields or [block.body for block in blocks if block.body.lstrip().startswith("{")]
    code = [block.body for block in blocks if block.language in ("python", "py", "python3")]
    code = code or [block.body for block in blocks if _PYTHON.search(block.body)]
    return DraftParts(
        fields=fields[-1] if fields else None,
        reference=code[-1] if code else None,
        baseline=kernel_of(text),
    )


def json_object(text: str) -> object:
    """Return the JSON value of a block, mended where a model let a comma or a quote slip."""
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return _repaired(text)


def _read(shape: TypeAdapter[T], value: object) -> T | None:
    try:
        return shape.validate_python(value)
    except ValidationError:
        return None


def _json_values(text: str) -> list[object]:
    """Return the JSON values of a reply, the likeliest first: of the last fenced block, ..., of bare text, mended."""
    answer = answer_text(text)
    blocks = [block.body for block in reversed(read_reply(text).blocks)]
    texts = [*blocks, answer]
    values = [_first_json(one) for one in texts]
    mended = [_repaired(block.body) for block in read_reply(text).blocks if block.language.startswith("json")]
    return [value for value in [*values, *mended] if value is not None]


def _first_json(text: str) -> object | None:
    decoder = json.JSONDecoder()
    for opening in islice(re.finditer(r"[\[{]", text), _OPENINGS):
        try:
            value, _ = decoder.raw_decode(text, opening.start())
        except (json.JSONDecodeError, RecursionError):
            continue
        return value
    return None


def _repaired(text: str) -> object | None:
    if len(text) > _LONGEST_REPAIRED:
        return None
    try:
        value: object = json_repair.loads(text)
    except RecursionError:
        return None
    return value if isinstance(value, dict | list) and value else None


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in cast("dict[str, object]", value).values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in cast("list[object]", value):
            yield from _strings(one)
