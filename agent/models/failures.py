"""What an endpoint's failures mean: which end a search, which cost a candidate, and what a person can do."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import cast
from urllib.request import proxy_bypass

import httpx2
import openai

from agent.models.transport import quota_ended
from agent.proposer import ProposalError
from sandbox.errors import MissingDependencyError, UsageError, WarpwrightError


class UnbilledError(ProposalError):
    """No answer came, and none can have been billed: the question was refused, or never arrived."""


UNREADABLE = (ValueError, TypeError, LookupError, AttributeError)
"""What libraries stumble with over answers that they were not written for."""


def failure(error: Exception, model: str, url: str) -> WarpwrightError:
    """Return what to tell of an endpoint's failure."""
    at = f"model {model!r} at {shown_url(url)}"
    match error:
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return MissingDependencyError(
                f"the endpoint refuses the key for {at}; set OPENAI_API_KEY: {words(error)}"
            )
        case openai.NotFoundError():
            said = f"there is no {at}, or --base-url lacks a path such as /v1"
            return UsageError(f"{said}: {words(error)}")
        case openai.APIStatusError() if quota_ended(error):
            said = "its quota or credit is used up, which no waiting mends"
            return MissingDependencyError(f"no answer from {at}: {said}: {words(error)}")
        case openai.APIStatusError():
            return UnbilledError(f"no answer from {at}: {words(error)}{_wait(error)}")
        case openai.APIConnectionError():
            return UnbilledError(f"no connection to {at}: {_cause(error)}{_by_proxy(url)}")
        case _:
            return ProposalError(f"no answer from {at}: {words(error)}")


def shown_url(url: str) -> str:
    """Return an address without the password that it may hold."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        return url
    return str(parsed.copy_with(username="", password="")) if parsed.userinfo else url


def proxy_of(url: str) -> tuple[str, str] | None:
    """Return the variable that names the proxy for an address, and its value; None where none is used."""
    if value := os.environ.get("OPENAI_PROXY"):
        return "OPENAI_PROXY", value
    parsed = httpx2.URL(url)
    if proxy_bypass(parsed.host):
        return None
    names = [f"{parsed.scheme}_proxy", "all_proxy"]
    for name in [one for lower in names for one in (lower, lower.upper())]:
        if value := os.environ.get(name):
            return name, value
    return None


def words(error: Exception) -> str:
    """Return what an endpoint or a library says, in one line; where the library left out a body, that too."""
    text = error.message if isinstance(error, openai.APIError) else str(error)
    body = error.response.text if isinstance(error, openai.APIStatusError) else ""
    if body.strip("{} \n") and " - " not in text:
        text = f"{text} - {body}"
    return " ".join(text.split())[:600] or type(error).__name__


def _wait(error: openai.APIStatusError) -> str:
    seconds = error.response.headers.get("retry-after")
    return f" (it asks to be left alone: Retry-After {seconds})" if seconds else ""


def _cause(error: Exception) -> str:
    """Return the root of a connection's failure, which libraries bury below sentences of their own."""
    chain = list(_chain(error))
    for one in reversed(chain):
        if isinstance(one, socket.gaierror):
            return f"the name is unknown ({one.strerror or one})"
        if isinstance(one, ConnectionRefusedError):
            return "connection refused"
        if isinstance(one, OSError) and one.strerror:
            return one.strerror
    told = [str(one) for one in reversed(chain) if str(one)]
    return told[0] if told else type(chain[-1]).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        if isinstance(found, BaseExceptionGroup):
            found = cast("BaseExceptionGroup[BaseException]", found).exceptions[0]
        else:
            found = found.__cause__ or found.__context__


def _by_proxy(url: str) -> str:
    proxy = proxy_of(url)
    return "" if proxy is None else f"; asked by the proxy of {proxy[0]}, {shown_url(proxy[1])}"
