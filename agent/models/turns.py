"""A coder works in turns: it may use tools before it hands in, and what it hands in may come back to it.

A slip (no kernel, a wrong fence, a name that does not exist, a first failure) costs a turn, not a candidate. What
models, tools and the judge answer is kept, so that a resumed run repeats the conversation without asking again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from agent.models.answerer import ChatQuestion
from agent.models.bench import CoderTools, ToolAnswer
from agent.models.blocks import answer_text
from agent.models.feedback import judgement_feedback
from agent.models.reply import written_of
from agent.proposer import WriteContext, Written
from agent.store.replies import Replies, Reply, ReplyKey, ToolUse
from sandbox.errors import WorkerError
from sandbox.verdict import Verdict
from tools.toolbox import CompileOrder, TestOrder

MOST_USES = 16
"""Tools that a coder may use for one candidate."""
MOST_RETURNS = 3
"""How often what it hands in comes back to it."""
VERDICT = "verdict"
"""The role under which the first judgement of what was handed in is kept, as a `ToolAnswer`."""
_NO_MORE = "No more tools: hand in the kernel file now, in one fenced ```cuda block."
_RETURNED = "\n\nHand in the whole file again, mended, in one fenced ```cuda block."

_NOT_AGAINST_IT = (Verdict.PASS, Verdict.UNSUPPORTED, Verdict.UNDECIDED)

Ask = Callable[[ChatQuestion], Awaitable[Reply]]
"""Asks the coder's model, or finds what it answered earlier."""


@dataclass
class Conversation:
    """One candidate's conversation with its coder."""

    context: WriteContext
    tools: CoderTools
    replies: Replies
    ask: Ask
    messages: list[BaseMessage]
    used: int = 0
    returned: int = 0
    correct: set[str] = field(default_factory=set[str])

    async def written(self) -> Written:
        """Go on until a kernel is handed in that need not come back."""
        while True:
            offered = self.tools.schemas if self.used < MOST_USES else ()
            reply = await self.ask(ChatQuestion(tuple(self.messages), tools=offered))
            if reply.uses and offered:
                await self._use(reply)
                continue
            written = written_of(reply, self.context.plan.features)
            problem = "" if reply.refusal else await self._problem(written)
            if not problem or self.returned == MOST_RETURNS:
                return written
            self.returned += 1
            self.messages += [
                AIMessage(answer_text(reply.text) or "(nothing)"),
                HumanMessage(problem + _RETURNED),
            ]

    async def _use(self, reply: Reply) -> None:
        calls = [
            {"name": use.name, "args": use.arguments, "id": use.id, "type": "tool_call"} for use in reply.uses
        ]
        self.messages.append(AIMessage(answer_text(reply.text), tool_calls=calls))
        for use in reply.uses:
            self.used += 1
            kept = await self._kept(f"tool {use.name}", use.arguments, lambda use=use: self._answer(use))
            answer = ToolAnswer.model_validate_json(kept)
            if use.name == "test_kernel" and answer.verdict == Verdict.PASS and not use.arguments.get("tune"):
                self.correct.add(str(use.arguments.get("kernel")).strip())
            self.messages.append(ToolMessage(answer.text, tool_call_id=use.id))
        if self.used >= MOST_USES:
            self.messages.append(HumanMessage(_NO_MORE))

    async def _answer(self, use: ToolUse) -> str:
        return (await self.tools.use(use.name, use.arguments)).model_dump_json()

    async def _problem(self, written: Written) -> str:
        """Return why a kernel comes back to its coder; empty where it may be judged."""
        if (kernel := written.kernel) is None:
            return f"No kernel could be read: {written.lacking}."
        if kernel.strip() in self.correct:
            return ""
        kept = await self._kept(VERDICT, kernel, lambda: self._first_verdict(kernel))
        return ToolAnswer.model_validate_json(kept).text

    async def _first_verdict(self, kernel: str) -> str:
        return (await self._judged(kernel)).model_dump_json()

    async def _judged(self, kernel: str) -> ToolAnswer:
        """Compile and test what was handed in; the text says why it comes back, and is empty where it does not."""
        toolbox, task = self.tools.bench.toolbox, self.context.task
        try:
            compiled = await toolbox.do(CompileOrder(task, kernel))
            if compiled.verdict in (Verdict.REJECTED, Verdict.COMPILE_ERROR):
                return ToolAnswer(text=judgement_feedback(compiled, kernel), verdict=compiled.verdict)
            if compiled.verdict is not Verdict.PASS:
                return ToolAnswer(text="", verdict=compiled.verdict)
            tested = await toolbox.do(TestOrder(task, kernel))
        except WorkerError:
            # Nothing is known against it: the search judges it, and says so.
            return ToolAnswer(text="", verdict=Verdict.UNDECIDED)
        against = "" if tested.verdict in _NOT_AGAINST_IT else judgement_feedback(tested, kernel)
        return ToolAnswer(text=against, verdict=tested.verdict)

    async def _kept(self, role: str, about: object, do: Callable[[], Awaitable[str]]) -> str:
        """Return what was answered earlier at this point of the conversation, else do it and keep the answer."""
        digest = conversation_sha(self.messages, json.dumps(about, sort_keys=True))
        key = ReplyKey(self.context.round, self.context.candidate, role, digest)
        kept = self.replies.find(key)
        if kept is None:
            kept = Reply(await do())
            self.replies.keep(key, kept)
        return kept.text


def conversation_sha(messages: Iterable[BaseMessage], more: str = "") -> str:
    """Return what a conversation so far is known by: everything that was said, calls of tools included."""
    parts = [_said(one) for one in messages]
    return hashlib.sha256(json.dumps([*parts, more] if more else parts).encode()).hexdigest()


def _said(message: BaseMessage) -> tuple[str, ...]:
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    return (message.type, str(message.text), *([json.dumps(calls)] if calls else []))
