"""Coders' conversations as the store has them, each with what became of every kernel that was handed in."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from agent.candidates import Trial
from agent.models.blocks import answer_text
from agent.models.reply import written_of
from agent.models.turns import VERDICT
from agent.store import Store
from agent.store.questions import Message
from agent.store.replies import Exchange
from agent.trajectories.rewards import reward
from prompts import PLAIN
from sandbox.verdict import Provenance, Verdict

_OPENING = 2
"""Messages of a conversation before anything was answered: the role's, and the request."""


@dataclass(frozen=True)
class HandedIn:
    """A kernel that a coder handed in, or a reply without one.

    Attributes:
        text: The reply.
        verdict: Of the search for what was kept; of the first compilation and test for what came back.
        speedup: Over the baseline; None where it was not timed.
    """

    text: str
    verdict: Verdict
    speedup: float | None
    reward: float


@dataclass(frozen=True)
class Dialogue:
    """How one candidate was written.

    Attributes:
        model: Who answered last.
        variant: The way in which it was asked.
        messages: All of it, the last reply included, as chat templates take them.
        tools: The tools that were offered, as JSON schemas.
        handed: What was handed in, in order; the last one is the candidate's kernel.
        trial: What became of the candidate.
    """

    trial: Trial
    model: str
    variant: str
    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...]
    handed: tuple[HandedIn, ...]

    @property
    def opening(self) -> tuple[Message, ...]:
        """What was asked before anything was answered."""
        return self.messages[:_OPENING]

    @property
    def kept(self) -> HandedIn:
        """What the search judged."""
        return self.handed[-1]

    @property
    def provenance(self) -> Provenance:
        """Where the candidate's latency comes from."""
        return self.trial.provenance


@dataclass(frozen=True)
class RunConversations:
    """The conversations of a run, and how many candidates have none that can be told.

    Attributes:
        unasked: Candidates that no chat model wrote, or of whose questions nothing was kept.
        unjudged: Candidates that no machine could judge, or that are not judged yet.
    """

    conversations: tuple[Dialogue, ...]
    unasked: int
    unjudged: int


def conversations_of(store: Store, run: str) -> RunConversations:
    """Return the conversations of a run's judged candidates, in order of round and candidate."""
    said = defaultdict[tuple[int, int], list[Exchange]](list)
    for exchange in store.replies(run).exchanges(("coder", VERDICT)):
        said[exchange.key.round, exchange.key.candidate].append(exchange)
    found: list[Dialogue] = []
    unasked = unjudged = 0
    for submission, trial in store.candidates.attempts(run):
        if submission.round == 0:
            continue
        if trial is None or trial.lost or reward(trial.verdict, trial.speedup) is None:
            unjudged += 1
        elif (one := _conversation(trial, _last(said[submission.place]))) is None:
            unasked += 1
        else:
            found.append(one)
    return RunConversations(tuple(found), unasked, unjudged)


def _last(exchanges: Sequence[Exchange]) -> Sequence[Exchange]:
    """Return the last conversation about a candidate: one that nothing answered to its end was begun anew."""
    begun = [
        at
        for at, one in enumerate(exchanges)
        if one.key.role == "coder" and one.asked is not None and len(one.asked.messages) == _OPENING
    ]
    return exchanges[begun[-1] :] if begun else ()


def _conversation(trial: Trial, exchanges: Sequence[Exchange]) -> Dialogue | None:
    coder = [one for one in exchanges if one.key.role == "coder"]
    if not coder or any(one.asked is None for one in coder) or coder[-1].reply.uses:
        return None
    first, last = coder[0].asked, coder[-1]
    assert first is not None, "those without were left out"
    assert last.asked is not None, "those without were left out"
    answer = {"role": "assistant", "content": answer_text(last.reply.text)}
    return Dialogue(
        trial=trial,
        model=last.reply.model,
        variant=last.reply.variant or PLAIN,
        messages=(*_plain(last.asked.messages), answer),
        tools=first.tools,
        handed=tuple(_handed(exchanges, trial)),
    )


def _handed(exchanges: Sequence[Exchange], trial: Trial) -> list[HandedIn]:
    replies = [(at, one.reply) for at, one in enumerate(exchanges) if one.key.role == "coder"]
    found: list[HandedIn] = []
    for at, reply in replies:
        if reply.uses:
            continue
        text = answer_text(reply.text)
        if at == replies[-1][0]:
            found.append(_judged(text, trial.verdict, trial.speedup))
            continue
        verdict = _first_verdict(exchanges[at + 1 :])
        if written_of(reply, ()).kernel is None:
            verdict = Verdict.REJECTED
        if verdict is not None:
            found.append(_judged(text, verdict, None))
    return found


def _first_verdict(later: Sequence[Exchange]) -> Verdict | None:
    """Return the first judgement of what was just handed in; None where it was not kept."""
    if not later or later[0].key.role != VERDICT:
        return None
    verdict = Verdict(cast("dict[str, str]", json.loads(later[0].reply.text))["verdict"])
    return None if verdict is Verdict.PASS or reward(verdict, None) is None else verdict


def _judged(text: str, verdict: Verdict, speedup: float | None) -> HandedIn:
    worth = reward(verdict, speedup)
    assert worth is not None, "what was not judged was left out"
    return HandedIn(text, verdict, speedup, worth)


def _plain(messages: Sequence[Message]) -> list[Message]:
    """Return messages with arguments of calls as objects and results under their tool's name, as templates want."""
    names: dict[str, str] = {}
    found: list[Message] = []
    for message in messages:
        calls = cast("list[dict[str, Any]]", message.get("tool_calls") or [])
        names |= {call["id"]: call["function"]["name"] for call in calls}
        if calls:
            found.append({**message, "tool_calls": [_call(call) for call in calls]})
        elif message["role"] == "tool":
            found.append({**message, "name": names.get(message["tool_call_id"], "")})
        else:
            found.append(message)
    return found


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = function["arguments"]
    plain = json.loads(arguments) if isinstance(arguments, str) else arguments
    return {**call, "function": {**function, "arguments": plain}}
