"""The feature library of a home: the pages that came with warpwright, and those it adopted since."""

from __future__ import annotations

from agent.home import Home
from prompts import Feature, features, read_page
from sandbox.errors import UsageError

_FEW = 4
"""Features that are named against a bottleneck."""


def library(home: Home) -> tuple[Feature, ...]:
    """Return every page, the most generally useful first; adopted ones come last.

    Raises:
        UsageError: An adopted page cannot be read; the text names its file and says why.
    """
    known = {page.name for page in features()}
    adopted: list[Feature] = []
    for path in sorted(home.features.glob("*.md")):
        try:
            page = read_page(path.read_text(encoding="utf-8"))
        except ValueError as error:
            msg = f"{path} is no page of the feature library: {error}; mend or delete it"
            raise UsageError(msg) from error
        if page.name not in known:
            adopted.append(page)
    return (*features(), *adopted)


def features_against(bottleneck: str) -> list[str]:
    """Return the names of a few techniques that may help against a bottleneck, those for it alone first."""
    fitting = [one for one in features() if bottleneck in one.bottlenecks]
    return [one.name for one in sorted(fitting, key=lambda one: len(one.bottlenecks))[:_FEW]]
