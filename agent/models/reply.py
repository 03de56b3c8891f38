"""Reads what models write: kernels and JSON in fenced blocks, as leniently as can be done safely."""

from __future__ import annotations

import json
import re
from itertools import islice

from pydantic import AliasChoices, BaseModel, Field, TypeAdapter, ValidationError

from agent.candidates import CandidatePlan
from agent.proposer import Critique, Written

# A fence closes with as many marks as it opened with; that of a reply cut short may not close at all.
_BLOCK = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[ \t]*(\w*)[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
# Prose may hold brackets before the answer; a reply made of nothing else must not take forever.
_OPENINGS = 50
_KERNEL = re.compile(r"^\s*//@\s*launch\b|\b__global__\b", re.MULTILINE)


class _WrappedPlans(BaseModel):
    plans: list[CandidatePlan] = Field(validation_alias=AliasChoices("plans", "candidates"))


_PLANS: TypeAdapter[list[CandidatePlan]] = TypeAdapter(list[CandidatePlan])
_WRAPPED_PLANS: TypeAdapter[_WrappedPlans] = TypeAdapter(_WrappedPlans)
_ONE_PLAN: TypeAdapter[CandidatePlan] = TypeAdapter(CandidatePlan)
_CRITIQUE: TypeAdapter[Critique] = TypeAdapter(Critique)


def kernel_of(reply: str) -> str | None:
    """Return the kernel file in a reply: its last fenced block that is one; None where there is none."""
    for _, _, body in reversed(_BLOCK.findall(reply)):
        if _KERNEL.search(body):
            return body.rstrip() + "\n"
    return None


def written_of(reply: str, features: tuple[str, ...]) -> Written:
    """Return what a coder's reply hands in; its kernel is taken to use the features that were asked for."""
    return Written(kernel_of(reply), features, _BLOCK.sub("", reply).strip())


def plans_of(reply: str) -> list[CandidatePlan]:
    """Return the plans in a reply; empty where none can be read."""
    for value in _json_values(reply):
        for shape in (_PLANS, _WRAPPED_PLANS, _ONE_PLAN):
            try:
                plans = shape.validate_python(value)
            except ValidationError:
                continue
            if isinstance(plans, _WrappedPlans):
                return plans.plans
            return [plans] if isinstance(plans, CandidatePlan) else plans
    return []


def critique_of(reply: str) -> Critique | None:
    """Return the critique in a reply: its JSON, else its prose; None where it is empty."""
    for value in _json_values(reply):
        try:
            return _CRITIQUE.validate_python(value)
        except ValidationError:
            continue
    prose = _BLOCK.sub("", reply).strip()
    return Critique(prose) if prose else None


def _json_values(reply: str) -> list[object]:
    """Return the JSON values of a reply, the likeliest first: of the last fenced block, ..., of bare text."""
    blocks = [body for _, _, body in reversed(_BLOCK.findall(reply))]
    values = [_first_json(text) for text in [*blocks, reply]]
    return [value for value in values if value is not None]


def _first_json(text: str) -> object | None:
    decoder = json.JSONDecoder()
    for opening in islice(re.finditer(r"[\[{]", text), _OPENINGS):
        try:
            value, _ = decoder.raw_decode(text, opening.start())
        except (json.JSONDecodeError, RecursionError):
            continue
        return value
    return None
