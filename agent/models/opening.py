"""Opens the chat models of a search: one endpoint a role, the same one where they are the same model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from agent.events import Event, Noticed
from agent.home import Home
from agent.models.bench import RunBench
from agent.models.chat import ChatProposer, Roles
from agent.models.endpoint import Endpoint, open_endpoint
from agent.models.prices import Prices
from agent.models.purse import OUTPUT_TOKENS, Purse
from agent.results import SearchRequest
from agent.store import Store
from agent.store.ledger import Ledger
from sandbox.errors import UsageError
from tools.toolbox import Toolbox


class ChatModels:
    """The chat models that a request names."""

    def __init__(self, request: SearchRequest, environment: Mapping[str, str], home: Home) -> None:
        """Open them; nothing is asked yet.

        Raises:
            MissingDependencyError: A key is missing or cannot be one.
            UsageError: The endpoint's address is none; or money is limited and the price of a model is unknown.
        """
        assert request.model is not None, "without a model the composer writes"
        self._home = home
        self._store = Store(home)
        self._prices = Prices(request.models.prices)
        settings = request.models
        if settings.max_output_tokens is None and request.budget.limits_models:
            settings = settings.model_copy(update={"max_output_tokens": OUTPUT_TOKENS})
        self._output_tokens = settings.max_output_tokens or OUTPUT_TOKENS
        planner, critic = settings.planner or request.model, settings.critic or request.model
        coders = settings.coder or (request.model,)
        opened = {
            name: open_endpoint(name, request.base_url, settings, environment, self._store.dialects)
            for name in dict.fromkeys((planner, critic, *coders))
        }
        if request.budget.max_usd is not None:
            self._require_prices(opened.values())
        self._roles = Roles(opened[planner], opened[critic], tuple(opened[name] for name in coders))

    def proposer(
        self, run: str, toolbox: Toolbox, ledger: Ledger, say: Callable[[Event], None]
    ) -> ChatProposer:
        """Return the proposer of a run."""
        purse = Purse(ledger, self._prices, self._output_tokens)
        bench = RunBench(run, self._store, self._home, toolbox)
        return ChatProposer(self._roles, purse, bench, lambda text: say(Noticed(run=run, message=text)))

    def _require_prices(self, endpoints: Iterable[Endpoint]) -> None:
        for endpoint in endpoints:
            if not self._prices.known(endpoint.name, endpoint.url):
                raise UsageError(
                    f"--max-usd cannot be held: nobody knows the price of model {endpoint.name!r} at {endpoint.url};"
                    f' put [prices."{endpoint.name}"] with input and output (US dollars a million tokens) into'
                    " warpwright.toml, or limit --max-tokens instead"
                )
