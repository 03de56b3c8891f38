"""Who may call over HTTP: those who hold a token of this server's own, and those whom an OAuth issuer vouches for."""

from __future__ import annotations

from dataclasses import dataclass

from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings

from agent.mcp.access.issuer import Issuer
from agent.mcp.access.oauth import JwtVerifier, OAuth
from agent.mcp.access.tokens import PREFIX, TokenFile


class Callers(TokenVerifier):
    """Knows everyone who may call by the token that they send."""

    def __init__(
        self, tokens: TokenFile, vouched: JwtVerifier | None = None, scopes: tuple[str, ...] = ()
    ) -> None:
        """Take the tokens below a home, and an issuer's.

        Args:
            tokens: This server's own; they contain every scope.
            vouched: Knows the issuer's.
            scopes: What is asked of an issuer's.
        """
        self._tokens = tokens
        self._vouched = vouched
        self._scopes = list(scopes)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Tell the SDK, and the limits on requests, who calls."""
        if self._vouched is not None and not token.startswith(PREFIX):
            return await self._vouched.verify_token(token)
        access = await self._tokens.verify_token(token)
        return None if access is None else access.model_copy(update={"scopes": self._scopes})


@dataclass(frozen=True)
class Admission:
    """Who may call, and what the others are told of how to."""

    callers: Callers
    settings: AuthSettings


async def open_access(tokens: TokenFile, oauth: OAuth | None, url: str) -> Admission:
    """Ask for a token: one of this server's own, or of the issuer where one is given.

    Args:
        tokens: This server's own.
        oauth: The issuer, and what is asked of its tokens.
        url: What clients are given as the server's address, where there is an issuer.

    Raises:
        UsageError: What is said of the issuer is wrong.
        MissingDependencyError: The issuer does not answer.
    """
    if oauth is None:
        # No authorization server stands behind these tokens, so none is announced.
        settings = AuthSettings.model_validate(
            {"issuer_url": "http://localhost", "resource_server_url": None}
        )
        return Admission(Callers(tokens), settings)
    verifier = JwtVerifier(await Issuer.find(oauth.issuer), oauth.audience or url, oauth.allowance)
    settings = AuthSettings.model_validate(
        {
            "issuer_url": oauth.issuer,
            "resource_server_url": url,
            "required_scopes": list(oauth.scopes) or None,
            "validate_token_resource": False,  # the verifier checks the audience, which may be another
        }
    )
    return Admission(Callers(tokens, verifier, oauth.scopes), settings)
