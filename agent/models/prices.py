"""What a call costs in US dollars: by a table of the user's, else by the library of public prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genai_prices import Usage, calc_price

from agent.budget import TokenPrice

_MILLION = 1e6


@dataclass(frozen=True)
class Prices:
    """Prices by model; those of the table come before public ones."""

    table: Mapping[str, TokenPrice]

    def known(self, model: str, url: str) -> bool:
        """Whether a model's price at an endpoint is known."""
        return self.usd(model, url, (1, 0, 1)) is not None

    def usd(self, model: str, url: str, tokens: tuple[int, int, int]) -> float | None:
        """Return the price of a call; None where none is known.

        Args:
            model: Its name, as the endpoint has it.
            url: The endpoint's address: providers differ in price.
            tokens: Read, of these from the provider's cache, and written.
        """
        read, cached, written = tokens
        if (price := self.table.get(model)) is not None:
            again = price.input if price.cached is None else price.cached
            return ((read - cached) * price.input + cached * again + written * price.output) / _MILLION
        try:
            usage = Usage(input_tokens=read, cache_read_tokens=cached, output_tokens=written)
            return float(calc_price(usage, model, provider_api_url=url).total_price)
        except LookupError:
            return None
