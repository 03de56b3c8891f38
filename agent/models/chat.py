"""A proposer over any OpenAI-compatible chat endpoint."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Any, TypeVar

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    convert_to_openai_messages,
)

from agent.candidates import CandidatePlan
from agent.models.answerer import Answerer, ChatQuestion
from agent.models.bench import RunBench
from agent.models.fallback import default_critique
from agent.models.purse import Purse
from agent.models.reply import critique_of, no_answer, plans_of
from agent.models.shapes import CRITIQUE, PLANS
from agent.models.turns import Conversation, conversation_sha
from agent.models.wording import critique_request, plan_request, write_request
from agent.proposer import Critique, CritiqueContext, PlanContext, WriteContext, Written
from agent.store.questions import Asked
from agent.store.replies import Reply, ReplyKey
from agent.strategies.arms import ArmTally, choose_arm
from prompts import PLAIN, Feature, load_role, variants
from sandbox.errors import WarpwrightError
from sandbox.spans import (
    CANDIDATE,
    CONVERSATION,
    FINISH_REASONS,
    INPUT_TOKENS,
    OPERATION,
    OUTPUT_TOKENS,
    REQUEST_MODEL,
    ROLE,
    ROUND,
    USD,
    Span,
    span,
)

T = TypeVar("T")

_FEATURES = 3
_VARIANTS = 0x5EED
"""Makes the draw of a way of asking another one than that of a coder."""
_OWN = re.compile(r"^[a-z][a-z0-9_]{2,47}$")
_AGAIN = (
    "That could not be read as the answer asked for. Give it again: one JSON value in one fenced ```json block, as"
    " described, and nothing else."
)


@dataclass(frozen=True)
class Roles:
    """Who answers in each role; one may stand for several, and without a planner or a critic nobody is asked."""

    planner: Answerer | None
    critic: Answerer | None
    coders: tuple[Answerer, ...]

    @property
    def name(self) -> str:
        """The models' names, each once."""
        asked = (self.planner, *self.coders, self.critic)
        return ", ".join(dict.fromkeys(one.name for one in asked if one is not None))


class ChatProposer:
    """Asks chat models; every answer is committed to the store before it is read."""

    def __init__(
        self,
        roles: Roles,
        purse: Purse,
        bench: RunBench,
        tell: Callable[[str], None],
        notices: Iterable[str] = (),
    ) -> None:
        """Ask `roles`, paid from a purse; what a person should know of their answers is told, `notices` first."""
        self._notices = list(notices)
        self._roles = roles
        self._replies = bench.store.replies(bench.run)
        self._purse = purse
        self._bench = bench
        self._tell = tell

    @property
    def name(self) -> str:
        """The models' names."""
        return self._roles.name

    async def plan(self, context: PlanContext) -> list[CandidatePlan]:
        """Ask for plans; what is missing or cannot be read is left to the strategy, and said."""
        while self._notices:
            self._tell(self._notices.pop(0))
        if self._roles.planner is None:
            return []
        messages = _opening("planner", plan_request(context))
        key = _Place("planner", context.round, 0)
        plans = await self._structured(self._roles.planner, key, messages, PLANS, plans_of)
        named = [_plan(plan, context) for plan in (plans or ())[: context.candidates]]
        if len(named) < context.candidates:
            said = (
                f"gave {len(named)} of {context.candidates} plans"
                if named
                else "gave no plan that can be read"
            )
            self._tell(f"round {context.round}: the planner {said}; the strategy's stand in for the rest")
        return named

    async def write(self, context: WriteContext) -> Written:
        """Have a kernel file written, in as many turns as it takes."""
        coder, variant = self._coder(context), self._variant(context)
        place = _Place("coder", context.round, context.candidate, variant)

        async def ask(question: ChatQuestion) -> Reply:
            return await self._ask(coder, place, question)

        opening = list(_opening("coder", write_request(context, variant)))
        failed: WarpwrightError | None = None
        async with self._bench.open(context) as tools:
            # An error that passed through the tools' task group would come out of it as a group of errors.
            try:
                return await Conversation(context, tools, self._replies, ask, opening).written()
            except WarpwrightError as error:
                failed = error
        raise failed

    def _coder(self, context: WriteContext) -> Answerer:
        """Return who writes a candidate: of several the one that the bandit draws."""
        coders = {one.name: one for one in self._roles.coders}
        if len(coders) == 1:
            return self._roles.coders[0]
        tallies = {model: ArmTally(*seen) for model, seen in self._replies.writers(context.round).items()}
        return coders[choose_arm(tuple(coders), tallies, context.seed)]

    def _variant(self, context: WriteContext) -> str:
        """Return the way in which a coder is asked: the one that a candidate's was asked in before, else a draw."""
        known, names = self._replies.variant_of(context.round, context.candidate), variants("coder")
        if known is not None:
            return known if known in names else PLAIN
        tallies = {name: ArmTally(*seen) for name, seen in self._replies.variants(context.round).items()}
        return choose_arm(names, tallies, context.seed ^ _VARIANTS)

    async def criticise(self, context: CritiqueContext) -> Critique:
        """Ask for the one bottleneck or root cause."""
        if self._roles.critic is None:
            return default_critique(context)
        messages = _opening(*critique_request(context))
        place = _Place("critic", context.round, 0)
        written = await self._structured(self._roles.critic, place, messages, CRITIQUE, critique_of)
        if written is None:
            self._tell(f"round {context.round}: the critic said nothing that can be read; the reports speak")
            return default_critique(context)
        return Critique(written.text, _known(written.features, context.library))

    async def _structured(
        self,
        endpoint: Answerer,
        place: _Place,
        messages: tuple[BaseMessage, ...],
        shape: Mapping[str, Any],
        read: Callable[[Reply], T],
    ) -> T:
        """Ask for an answer of a shape; where it cannot be read once more, in a plainer way."""
        reply = await self._ask(endpoint, place, ChatQuestion(messages, shape))
        found = read(reply)
        if found:
            return found
        reason = no_answer(reply)
        if not reason:
            reason = "it could not be read"
            endpoint.could_not_be_read()
        self._tell(f"round {place.round}: the {place.role}'s answer is asked for again: {reason}")
        again = (*messages, AIMessage(reply.text), HumanMessage(_AGAIN))
        return read(await self._ask(endpoint, place, ChatQuestion(again, shape)))

    async def _ask(self, endpoint: Answerer, place: _Place, question: ChatQuestion) -> Reply:
        key = ReplyKey(place.round, place.candidate, place.role, conversation_sha(question.messages))
        if (kept := self._replies.find(key)) is not None:
            return kept
        named = partial(replace, model=endpoint.name, variant=place.variant)
        asked = replace(question, key=sha256(repr((self._bench.run, key)).encode()).hexdigest())
        about: dict[str, str | int] = {
            OPERATION: "chat",
            REQUEST_MODEL: endpoint.name,
            CONVERSATION: self._bench.run,
            ROLE: place.role,
            ROUND: place.round,
            CANDIDATE: place.candidate,
        }
        with span(f"chat {endpoint.name}", about) as told:
            said = await self._purse.ask(
                endpoint, asked, lambda reply: self._replies.keep(key, named(reply), _asked(question))
            )
            _tell_cost(told, said)
        return named(said)


@dataclass(frozen=True)
class _Place:
    """Whose answer it is: a role's in a round, for a candidate or for all of them (0), and how it is asked."""

    role: str
    round: int
    candidate: int
    variant: str = ""


def _tell_cost(told: Span, reply: Reply) -> None:
    told.set_attribute(INPUT_TOKENS, reply.tokens_in)
    told.set_attribute(OUTPUT_TOKENS, reply.tokens_out)
    if reply.finish:
        told.set_attribute(FINISH_REASONS, [reply.finish])
    if reply.usd is not None:
        told.set_attribute(USD, reply.usd)


def _asked(question: ChatQuestion) -> Asked:
    return Asked(tuple(convert_to_openai_messages(question.messages)), question.tools)


def _opening(role: str, request: str) -> tuple[BaseMessage, ...]:
    return SystemMessage(load_role(role)), HumanMessage(request)


def _plan(planned: CandidatePlan, context: PlanContext) -> CandidatePlan:
    """Return a plan with the whole of its parent's name, where the model wrote the start of one."""
    wanted = planned.parent or None
    shas = (parent.sha for parent in context.parents)
    parent = wanted and next((sha for sha in shas if sha.startswith(wanted)), wanted)
    return CandidatePlan(parent, _named(planned.features, context.library), planned.why)


def _named(names: Iterable[str], library: Iterable[Feature]) -> tuple[str, ...]:
    """Return the few features that a plan may have: of the library, or a planner's own."""
    known = {feature.name for feature in library}
    return tuple(dict.fromkeys(name for name in names if name in known or _OWN.match(name)))[:_FEATURES]


def _known(names: Iterable[str], library: Iterable[Feature]) -> tuple[str, ...]:
    known = {feature.name for feature in library}
    return tuple(dict.fromkeys(name for name in names if name in known))[:_FEATURES]
