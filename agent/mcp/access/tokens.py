"""Access tokens of an HTTP server: a file of names, hashes and allowances. A token itself is shown once."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from mcp.server.auth.provider import AccessToken
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.errors import UsageError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
PREFIX = "warpwright_"
"""How every token of this kind begins."""


class Allowance(BaseModel):
    """What the holder of a token may use."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    requests_per_minute: int = Field(default=600, ge=1)
    requests_at_once: int = Field(default=16, ge=1)
    searches_at_once: int = Field(default=2, ge=0)
    candidates_per_day: int = Field(default=2000, ge=0)
    model_tokens_per_day: int = Field(default=5_000_000, ge=0)


class Token(BaseModel):
    """One token: who holds it, and the sha256 of its text. Its 256 random bits need no slower hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    sha256: str
    created: datetime
    allowance: Allowance = Allowance()


class _Tokens(BaseModel):
    model_config = ConfigDict(extra="forbid")
    tokens: list[Token] = []


class TokenFile:
    """The tokens below one home; the SDK's token verifier. A change of the file counts from the next request."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._tokens: tuple[Token, ...] = ()

    def __iter__(self) -> Iterator[Token]:
        """Yield the tokens by name.

        Raises:
            UsageError: The file cannot be read as one of tokens.
        """
        return iter(self._read())

    def add(self, name: str, allowance: Allowance | None = None) -> str:
        """Make a token for someone and return it; it is stored nowhere.

        Raises:
            UsageError: The name cannot be used, or has a token already.
        """
        if not _NAME.fullmatch(name):
            msg = f"{name[:80]!r} is no token's name: up to 40 of a-z, 0-9, _ and -, a letter or digit first"
            raise UsageError(msg)
        if any(token.name == name for token in self):
            msg = f"{name} has a token already; `warpwright token remove {name}` withdraws it"
            raise UsageError(msg)
        text = PREFIX + secrets.token_urlsafe(32)
        token = Token(
            name=name, sha256=_hash(text), created=datetime.now(UTC), allowance=allowance or Allowance()
        )
        self._write([*self, token])
        return text

    def remove(self, name: str) -> None:
        """Withdraw someone's token; raise UsageError where there is none."""
        left = [token for token in self if token.name != name]
        if len(left) == len(self._tokens):
            msg = f"no token is called {name[:80]!r}; `warpwright token list` shows them"
            raise UsageError(msg)
        self._write(left)

    def find(self, text: str) -> Token | None:
        """Return the token of that text."""
        wanted = _hash(text)
        return next((token for token in self if hmac.compare_digest(token.sha256, wanted)), None)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Tell the SDK who calls."""
        found = self.find(token)
        if found is None:
            return None
        claims = found.allowance.model_dump()
        return AccessToken(token=token, client_id=found.name, scopes=[], claims=claims)

    def _read(self) -> tuple[Token, ...]:
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen != self._seen:
                found = _Tokens.model_validate_json(self._path.read_bytes()).tokens
                self._tokens, self._seen = tuple(sorted(found, key=lambda token: token.name)), seen
        except FileNotFoundError:
            self._tokens, self._seen = (), None
        except ValidationError as error:
            msg = f"{self._path} is not a file of tokens: {error.errors()[0]['msg']}"
            raise UsageError(msg) from None
        return self._tokens

    def _write(self, tokens: list[Token]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = _Tokens(tokens=tokens).model_dump_json(indent=2) + "\n"
        # Only its owner may read a file that mkstemp made.
        descriptor, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=".tokens")
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        Path(temporary).replace(self._path)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
