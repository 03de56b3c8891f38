"""Whose request is being answered, and whether what it asks for is still within its allowance."""

from __future__ import annotations

import time

from mcp.server.auth.middleware.auth_context import get_access_token

from agent.home import Home
from agent.mcp.access.tokens import Allowance
from agent.results import SearchRequest
from agent.store import Store
from sandbox.errors import UsageError
from tools.tasks.catalogue import TaskCatalogue

_DAY_S = 24 * 3600.0


def tenant() -> str | None:
    """Return whose request this is: a token's name, or an OAuth caller's; None for this machine's own person."""
    token = get_access_token()
    return None if token is None else token.client_id


def allowance() -> Allowance | None:
    """Return what the caller may use; None for no limit."""
    token = get_access_token()
    return None if token is None else Allowance.model_validate(token.claims or {})


def caller_catalogue(home: Home) -> TaskCatalogue:
    """Return the tasks that the caller may name; only this machine's own person may name any folder."""
    name = tenant()
    return TaskCatalogue(home.tasks) if name is None else TaskCatalogue(home.tenant(name).tasks, paths=False)


def admit(store: Store, request: SearchRequest | None) -> None:
    """Let a search begin, or one of this tenant's go on (None), where the caller's allowance has room for it.

    Raises:
        UsageError: Too many searches run, or the day's budget is spent.
    """
    allowed = allowance()
    if allowed is None:
        return
    spent = store.seen_by(tenant()).runs.spent(time.time() - _DAY_S)
    if spent.running >= allowed.searches_at_once:
        msg = (
            f"{spent.running} of your searches run, and {allowed.searches_at_once} may; wait with search_status"
            " or end one with cancel_search"
        )
        raise UsageError(msg)
    wanted = 0 if request is None else request.candidates * request.depth
    if spent.candidates + wanted > allowed.candidates_per_day:
        msg = (
            f"your searches of the last 24 hours may judge {spent.candidates} candidates, this one {wanted}, and"
            f" {allowed.candidates_per_day} are allowed a day; ask for fewer candidates or rounds, or wait"
        )
        raise UsageError(msg)
    if spent.model_tokens >= allowed.model_tokens_per_day:
        msg = f"your {allowed.model_tokens_per_day} model tokens of the last 24 hours are used up; wait"
        raise UsageError(msg)
