"""Opens those who are asked in a search: one endpoint a role, the same one where they are the same model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from agent.events import Event, Noticed
from agent.home import Home
from agent.model_settings import CLIENT
from agent.models.answerer import Answerer
from agent.models.bench import RunBench
from agent.models.chat import ChatProposer, Roles
from agent.models.client_model import ClientModel
from agent.models.command import CoderCommand, open_command
from agent.models.endpoint import Endpoint, open_endpoint
from agent.models.prices import Prices
from agent.models.purse import OUTPUT_TOKENS, Purse
from agent.results import SearchRequest
from agent.store import Store
from agent.store.ledger import Ledger
from sandbox.errors import UsageError
from tools.toolbox import Toolbox


class ChatModels:
    """Whom a request asks in words: chat models, a command, an MCP client's own model, or several of them."""

    def __init__(self, request: SearchRequest, environment: Mapping[str, str], home: Home) -> None:
        """Open them; nothing is asked yet.

        Raises:
            MissingDependencyError: A key is missing or cannot be one.
            UsageError: The endpoint's address is none; the coder's command is not there; or money is limited and the
                price of a model is unknown.
        """
        self._home = home
        self._store = Store(home)
        self._prices = Prices(request.models.prices)
        settings = request.models
        if settings.max_output_tokens is None and request.budget.limits_models:
            settings = settings.model_copy(update={"max_output_tokens": OUTPUT_TOKENS})
        self._output_tokens = settings.max_output_tokens or OUTPUT_TOKENS
        self._settings = settings
        self._planner, self._critic = settings.planner or request.model, settings.critic or request.model
        self._command = _command(request, home, environment)
        alone = (request.model,) if request.model and self._command is None else ()
        self._coders = settings.coder or alone
        self._opened = {
            name: open_endpoint(name, request.base_url, settings, environment, self._store.dialects)
            for name in dict.fromkeys((self._planner, self._critic, *self._coders))
            if name is not None and name != CLIENT
        }
        if request.asks_client:
            _refuse_limits(request, f"the model {CLIENT!r}")
        if request.budget.max_usd is not None:
            self._require_prices(self._opened.values())

    def proposer(
        self, run: str, toolbox: Toolbox, ledger: Ledger, say: Callable[[Event], None]
    ) -> ChatProposer:
        """Return the proposer of a run."""
        purse = Purse(ledger, self._prices, self._output_tokens)
        bench = RunBench(run, self._store, self._home, toolbox)
        notices = [self._command.notice] if self._command is not None and self._command.notice else []
        return ChatProposer(
            self._roles(run), purse, bench, lambda text: say(Noticed(run=run, message=text)), notices
        )

    def _roles(self, run: str) -> Roles:
        client = ClientModel(self._store.client_questions(run), self._settings.timeout_s, self._output_tokens)
        known: dict[str, Answerer] = {**self._opened, CLIENT: client}
        return Roles(
            planner=None if self._planner is None else known[self._planner],
            critic=None if self._critic is None else known[self._critic],
            coders=(*(known[name] for name in self._coders), *((self._command,) if self._command else ())),
        )

    def _require_prices(self, endpoints: Iterable[Endpoint]) -> None:
        for endpoint in endpoints:
            if not self._prices.known(endpoint.name, endpoint.url):
                raise UsageError(
                    f"--max-usd cannot be held: nobody knows the price of model {endpoint.name!r} at {endpoint.url};"
                    f' put [prices."{endpoint.name}"] with input and output (US dollars a million tokens) into'
                    " warpwright.toml, or limit --max-tokens instead"
                )


def _command(request: SearchRequest, home: Home, environment: Mapping[str, str]) -> CoderCommand | None:
    """Return the coder's command, where there is one; what it costs nobody here can count."""
    if request.models.coder_command is None:
        return None
    if request.tenant:
        raise UsageError(
            "programs as coders are for this machine's own person, not for those who use its server"
        )
    _refuse_limits(request, "--coder-command")
    return open_command(request.models, home, {**os.environ, **environment})


def _refuse_limits(request: SearchRequest, who: str) -> None:
    """Raise UsageError where what somebody spends is limited and cannot be known here."""
    limits = {"--max-usd": request.budget.max_usd, "--max-tokens": request.budget.max_tokens}
    if given := [flag for flag, limit in limits.items() if limit is not None]:
        raise UsageError(
            f"{' and '.join(given)} cannot be held with {who}: what it spends is not known here; limit"
            " --max-candidates or --max-seconds instead"
        )
