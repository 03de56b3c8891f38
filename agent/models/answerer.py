"""Who answers the questions of a search: a model at an endpoint, a program, or the client's own model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from langchain_core.messages import BaseMessage

from agent.store.replies import Reply


@dataclass(frozen=True)
class ChatQuestion:
    """What a model is asked.

    Attributes:
        messages: The conversation so far.
        shape: JSON schema of the answer where one is wanted; the model is also told of it in words.
        tools: What it may call: name, description and JSON schema of each, as the protocol has them.
        key: The same whenever this very question of a run is asked; empty where nobody will ask again.
    """

    messages: tuple[BaseMessage, ...]
    shape: Mapping[str, Any] | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    key: str = ""


class Answerer(Protocol):
    """Answers questions, one at a time or several at once."""

    @property
    def name(self) -> str:
        """As lists of runs show it."""
        ...

    @property
    def url(self) -> str:
        """Where it is, which its price depends on; empty where it is at no address."""
        ...

    @property
    def metered(self) -> bool:
        """Whether what it costs is counted in tokens, and kept within the budget."""
        ...

    async def ask(self, question: ChatQuestion) -> Reply:
        """Ask, and return what came.

        Raises:
            ProposalError: No answer came.
            MissingDependencyError, UsageError: None can come: no key, no such model.
        """
        ...

    def could_not_be_read(self) -> None:
        """Take note that a structured answer could not be read: the next one is asked for in a plainer way."""
        ...
