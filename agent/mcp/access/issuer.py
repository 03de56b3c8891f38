"""An OAuth authorization server: found by its address, known by the keys that it signs with."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from time import monotonic
from urllib.parse import urlsplit

import httpx2
from jwt import PyJWK, PyJWKSet, PyJWTError
from mcp.client.auth.utils import build_oauth_authorization_server_metadata_discovery_urls
from pydantic import BaseModel, ConfigDict, ValidationError

from sandbox.errors import MissingDependencyError, UsageError, WarpwrightError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""What may sign a token; with the others whoever can check a token could also make one."""
KEYS_LAST_S = 600.0
"""After that time keys are fetched anew; until then a withdrawn one still counts."""
PAUSE_S = 10.0
"""Between two fetches: so often may strangers, with keys that do not exist, make this server ask for some."""
_ANSWER_S = 5.0
_LONGEST_ANSWER = 1 << 20
_OK, _FAILURE = 200, 500

_log = logging.getLogger(__name__)


class _Metadata(BaseModel):
    issuer: str
    jwks_uri: str


class _Key(BaseModel):
    model_config = ConfigDict(extra="allow")
    kid: str | None = None
    alg: str | None = None


class _KeySet(BaseModel):
    keys: list[_Key]


class Issuer:
    """Gives the keys of one authorization server; fetched ones keep working while it does not answer."""

    def __init__(self, url: str, jwks_uri: str, keys: dict[str | None, PyJWK]) -> None:
        """Know an issuer whose keys were fetched just now; `find` does that."""
        self.url = url
        self._jwks_uri = jwks_uri
        self._keys = keys
        self._fetched = monotonic()
        self._next_fetch = 0.0
        self._fetching = asyncio.Lock()

    @classmethod
    async def find(cls, url: str) -> Issuer:
        """Read the metadata and the keys of the authorization server at an address.

        Raises:
            UsageError: The address is none, or what it serves is not the metadata of this issuer.
            MissingDependencyError: Nothing answers there.
        """
        _require_secure(url)
        metadata = await _discover(url)
        if metadata.issuer != url:
            msg = f"the OAuth issuer at {url} calls itself {metadata.issuer[:200]}: give --oauth exactly that"
            raise UsageError(msg)
        _require_secure(metadata.jwks_uri)
        return cls(url, metadata.jwks_uri, await _fetch_keys(metadata.jwks_uri))

    async def key(self, name: str | None) -> PyJWK | None:
        """Return the key that a token names; None where the issuer has none of that name."""
        old = monotonic() > self._fetched + KEYS_LAST_S
        if name not in self._keys or (old and not self._fetching.locked()):
            await self._renew()
        return self._keys.get(name)

    async def _renew(self) -> None:
        async with self._fetching:
            if monotonic() < self._next_fetch:
                return
            self._next_fetch = monotonic() + PAUSE_S
            try:
                self._keys = await _fetch_keys(self._jwks_uri)
                self._fetched = monotonic()
            except WarpwrightError as error:
                _log.warning("%s; the keys fetched before stay in use", error)


def _require_secure(url: str) -> None:
    """Raise UsageError where someone on the way could put keys of their own into the answer."""
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname
    except ValueError:
        scheme, host = "", None
    if not host or scheme not in ("http", "https"):
        msg = f"{url[:200]!r} is no address of an OAuth issuer or its keys: https://HOST/... was expected"
        raise UsageError(msg)
    if scheme == "http" and not _is_this_machine(host):
        msg = f"{url[:200]} cannot be trusted with keys: an OAuth issuer on another machine must use https"
        raise UsageError(msg)


def _is_this_machine(host: str) -> bool:
    """Say whether a name or address can only be reached from here."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _discover(url: str) -> _Metadata:
    places = build_oauth_authorization_server_metadata_discovery_urls(url, url)
    for place in places:
        body = await _get(place)
        if body is not None:
            try:
                return _Metadata.model_validate_json(body)
            except ValidationError:
                continue
    msg = f"{url} is no OAuth issuer: none of {', '.join(places)} is metadata with an issuer and a jwks_uri"
    raise UsageError(msg)


async def _fetch_keys(url: str) -> dict[str | None, PyJWK]:
    """Return the keys that may sign tokens, by name.

    Raises:
        UsageError: There are none.
        MissingDependencyError: Nothing answers there.
    """
    body = await _get(url)
    try:
        listed = _KeySet.model_validate_json(body or b"").keys
        keys = PyJWKSet([key.model_dump(exclude_unset=True) for key in listed]).keys
    except (PyJWTError, ValueError):
        keys = []
    # A key that does not say its algorithm is one for RS256, or for the one algorithm of its curve.
    usable = {
        key.key_id: key
        for key in keys
        if key.algorithm_name in ALGORITHMS and key.public_key_use in (None, "sig")
    }
    if not usable:
        msg = f"the OAuth issuer has no key at {url} that tokens could be checked with"
        raise UsageError(msg)
    return usable


async def _get(url: str) -> bytes | None:
    """Return what is served there; None where nothing is.

    Raises:
        MissingDependencyError: There is no answer in time, or one that is an error, or too long.
    """
    body = bytearray()
    try:
        async with (
            asyncio.timeout(_ANSWER_S),
            httpx2.AsyncClient(timeout=_ANSWER_S, headers={"accept": "application/json"}) as client,
            client.stream("GET", url) as answer,
        ):
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _LONGEST_ANSWER:
                    raise MissingDependencyError(f"the OAuth issuer answers without an end at {url}")
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
        why = str(error) or f"no answer in {_ANSWER_S:.0f} s"
        msg = f"the OAuth issuer does not answer at {url}: {why}"
        raise MissingDependencyError(msg) from None
    if answer.status_code >= _FAILURE:
        raise MissingDependencyError(
            f"the OAuth issuer answers {answer.status_code} at {url}; try again later"
        )
    return bytes(body) if answer.status_code == _OK else None
