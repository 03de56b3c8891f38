"""The model of the MCP client that started a search: asked through the store, answered while the client waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage

from agent.model_settings import CLIENT
from agent.models.answerer import ChatQuestion
from agent.models.turns import conversation_sha
from agent.proposer import ProposalError
from agent.store.client_questions import ClientQuestion, ClientQuestions, Turn
from agent.store.replies import Reply

_POLL_S = 0.2


@dataclass(frozen=True)
class ClientModel:
    """Leaves questions for a client to answer.

    Attributes:
        questions: Of the run.
        limit_s: How long an answer may take, in seconds.
        max_tokens: Of one answer.
    """

    questions: ClientQuestions
    limit_s: float
    max_tokens: int

    name = CLIENT
    url = ""
    metered = False

    async def ask(self, question: ChatQuestion) -> Reply:
        """Leave the question, and return the answer once a client brought it.

        Raises:
            ProposalError: No client brought one in time.
        """
        asked = _asked(question, self.max_tokens)
        await asyncio.to_thread(self.questions.ask, asked)
        try:
            async with asyncio.timeout(self.limit_s):
                while (answer := await asyncio.to_thread(self.questions.answer_to, asked.id)) is None:
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            msg = f"no client answered with its own model in {self.limit_s:g} s: it does while it calls search_status"
            raise ProposalError(msg) from None
        finally:
            self.questions.withdraw(asked.id)
        return Reply(answer.text, finish=answer.finish)

    def could_not_be_read(self) -> None:
        """A client's model is asked in words only."""


def _asked(question: ChatQuestion, max_tokens: int) -> ClientQuestion:
    system = [str(one.text) for one in question.messages if isinstance(one, SystemMessage)]
    turns = tuple(_turn(one) for one in question.messages if not isinstance(one, SystemMessage))
    return ClientQuestion(conversation_sha(question.messages), "\n\n".join(system), turns, max_tokens)


def _turn(message: BaseMessage) -> Turn:
    return Turn("assistant" if isinstance(message, AIMessage) else "user", str(message.text))
