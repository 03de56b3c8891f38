"""Callers that an OAuth issuer vouches for: its access tokens are checked here, and nowhere else."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import time
from typing import Any, Generic, TypeVar, cast

import jwt
from mcp.server.auth.provider import AccessToken, TokenVerifier

from agent.mcp.access.issuer import ALGORITHMS, Issuer
from agent.mcp.access.tokens import Allowance

_LONGEST_TOKEN = 8192
_SKEW_S = 30
"""By so much may the issuer's clock be ahead of this one."""
_TAKEN_S, _REFUSED_S = 60.0, 1.0
"""For so long is a token not checked again: every request asks twice, for its limits and for who calls."""
_KEPT_AT_MOST = 1024

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OAuth:
    """Whose access tokens count, and what their holders may use.

    Attributes:
        issuer: The authorization server, exactly as it calls itself.
        audience: What a token must be made for; None for the address that clients are given.
        scopes: What a token must contain, all of them.
        allowance: What each caller may use.
    """

    issuer: str
    audience: str | None = None
    scopes: tuple[str, ...] = ()
    allowance: Allowance = field(default_factory=Allowance)


class JwtVerifier(TokenVerifier):
    """Checks an issuer's signed tokens, each at most once a minute."""

    def __init__(self, issuer: Issuer, audience: str, allowance: Allowance) -> None:
        self.issuer = issuer
        self._audience = audience
        self._claims = allowance.model_dump()
        self._taken = _Recent[AccessToken]()
        self._refused = _Recent[str]()

    async def verify_token(self, token: str) -> AccessToken | None:
        """Tell whom the issuer vouches for with this token; None where it does not."""
        if len(token) > _LONGEST_TOKEN or not token.isascii():
            return None
        digest = hashlib.sha256(token.encode()).digest()
        if access := self._taken.get(digest):
            return access
        if self._refused.get(digest):
            return None
        access = await self._check(token)
        if access is None or access.expires_at is None:
            self._refused.keep(digest, "refused", time() + _REFUSED_S)
            return None
        self._taken.keep(digest, access, min(access.expires_at, time() + _TAKEN_S))
        return access

    async def _check(self, token: str) -> AccessToken | None:
        try:
            header = jwt.get_unverified_header(token)
            # Before a key is looked for, so that nothing is fetched for a token that cannot be right.
            if header.get("alg") not in ALGORITHMS:
                return None
            key = await self.issuer.key(header.get("kid"))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self.issuer.url,
                leeway=_SKEW_S,
                options={"require": ["iss", "aud", "exp", "sub"], "enforce_minimum_key_length": True},
            )
        except (jwt.InvalidAudienceError, jwt.MissingRequiredClaimError) as error:
            # The issuer did sign it: what is wrong is how issuer or server were set up.
            _log.warning("a token of %s, for %s, was refused: %s", self.issuer.url, self._audience, error)
            return None
        except jwt.PyJWTError:
            return None
        subject, expires = str(claims["sub"]), int(claims["exp"])
        if not subject or expires <= time():
            return None
        return AccessToken(
            token=token,
            client_id=tenant_of(self.issuer.url, subject),
            scopes=_scopes(claims),
            expires_at=expires,
            subject=subject,
            claims=self._claims,
        )


class _Recent(Generic[_T]):
    """Values that are forgotten after a time, or sooner for newer ones."""

    def __init__(self) -> None:
        self._values: OrderedDict[bytes, tuple[_T, float]] = OrderedDict()

    def get(self, key: bytes) -> _T | None:
        value, until = self._values.get(key, (None, 0.0))
        return value if time() < until else None

    def keep(self, key: bytes, value: _T, until: float) -> None:
        self._values[key] = value, until
        self._values.move_to_end(key)
        if len(self._values) > _KEPT_AT_MOST:
            self._values.popitem(last=False)


def tenant_of(issuer: str, subject: str) -> str:
    """Name someone as a folder can be named; the dot is in no name of a token of this server's own."""
    return "oauth." + hashlib.sha256(json.dumps([issuer, subject]).encode()).hexdigest()[:40]


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    """Return what a token contains: `scope` by RFC 9068, `scp`, also as a list, as some issuers call it."""
    named: object = claims.get("scope", claims.get("scp", ""))
    if isinstance(named, list):
        return [str(scope) for scope in cast("list[object]", named)]
    return str(named).split()
