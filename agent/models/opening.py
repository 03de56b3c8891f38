"""Opens the chat models of a search: one endpoint a role, the same one where they are the same model."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.events import Event, Noticed
from agent.models.chat import ChatProposer, Roles
from agent.models.endpoint import Endpoint, open_endpoint
from agent.results import SearchRequest
from agent.store import Store
from agent.store.replies import Replies


def open_roles(request: SearchRequest, environment: Mapping[str, str], store: Store) -> Roles:
    """Return the endpoints of a request's models.

    Raises:
        MissingDependencyError: A key is missing or cannot be one.
        UsageError: The endpoint's address is none.
    """
    assert request.model is not None, "without a model the composer writes"
    chosen, opened = request.models, dict[str, Endpoint]()

    def endpoint(model: str) -> Endpoint:
        if model not in opened:
            opened[model] = open_endpoint(model, request.base_url, chosen, environment, store.dialects)
        return opened[model]

    return Roles(
        planner=endpoint(chosen.planner or request.model),
        coder=endpoint(chosen.coder or request.model),
        critic=endpoint(chosen.critic or request.model),
    )


def chat_proposer(roles: Roles, replies: Replies, run: str, say: Callable[[Event], None]) -> ChatProposer:
    """Return the proposer of a run."""
    return ChatProposer(roles, replies, lambda message: say(Noticed(run=run, message=message)))
