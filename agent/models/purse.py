"""Pays for calls of chat models: no call is made whose worst case the budget has no room for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from langchain_core.messages import AIMessage

from agent.models.answerer import Answerer, ChatQuestion
from agent.models.failures import UnbilledError
from agent.models.prices import Prices
from agent.proposer import BudgetSpentError
from agent.store.ledger import CallCost, Ledger
from agent.store.replies import Reply
from sandbox.errors import MissingDependencyError, UsageError

OUTPUT_TOKENS = 32_768
"""The most that a reply may have under a budget, where --max-output-tokens does not say."""
_TOKENS_A_MESSAGE = 16


@dataclass(frozen=True)
class Purse:
    """The money of one run.

    Attributes:
        ledger: Where it is written down.
        prices: Of the models.
        output_tokens: The most that a reply may have, thoughts included.
    """

    ledger: Ledger
    prices: Prices
    output_tokens: int = OUTPUT_TOKENS

    async def ask(self, endpoint: Answerer, question: ChatQuestion, keep: Callable[[Reply], None]) -> Reply:
        """Ask, and pay; the reply says its price. Who is not metered is asked as often as the search needs.

        Args:
            endpoint: Who is asked.
            question: What.
            keep: Stores the reply; called before anything else is done with it, its account included.

        Raises:
            BudgetSpentError: The budget has no room for the worst that the call can cost.
            WarpwrightError: As `Endpoint.ask`.
        """
        if not endpoint.metered:
            reply = await endpoint.ask(question)
            keep(reply)
            return reply
        worst = self._worst(endpoint, question)
        call = await self.ledger.reserve(endpoint.name, worst)
        if call is None:
            raise BudgetSpentError(f"the budget is spent: {self.ledger.spent_up}")
        settled = False
        try:
            reply = await endpoint.ask(question)
            reply, cost = self._priced(endpoint, reply, worst)
            keep(reply)
            settled = True
            await self.ledger.settle(call, cost)
            return reply
        except (UnbilledError, MissingDependencyError, UsageError):
            settled = True
            await self.ledger.release(call)
            raise
        finally:
            if not settled:
                await self.ledger.abandon()

    def _worst(self, endpoint: Answerer, question: ChatQuestion) -> CallCost:
        """A token is at least one byte of text, so there are no more of them than bytes."""
        texts = [str(message.text) for message in question.messages]
        texts += [json.dumps(dict(tool)) for tool in question.tools]
        texts += [json.dumps(one.tool_calls) for one in question.messages if isinstance(one, AIMessage)]
        texts += [json.dumps(dict(question.shape))] if question.shape else []
        read = sum(len(text.encode()) + _TOKENS_A_MESSAGE for text in texts)
        usd = self.prices.usd(endpoint.name, endpoint.url, (read, 0, self.output_tokens))
        return CallCost(read + self.output_tokens, usd)

    def _priced(self, endpoint: Answerer, reply: Reply, worst: CallCost) -> tuple[Reply, CallCost]:
        """A reply without token counts costs its worst."""
        if reply.tokens_in + reply.tokens_out == 0:
            return reply, worst
        tokens = (reply.tokens_in, min(reply.tokens_cached, reply.tokens_in), reply.tokens_out)
        usd = self.prices.usd(endpoint.name, endpoint.url, tokens)
        return replace(reply, usd=usd), CallCost(reply.tokens_in + reply.tokens_out, usd)
