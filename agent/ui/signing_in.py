"""Signing in: a browser keeps its person's token in a cookie that only this server can read."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from pathlib import Path
from urllib.parse import quote

from cryptography.fernet import Fernet, InvalidToken
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.mcp.access.beside import WebSite
from agent.ui.forms import read_form
from agent.ui.rendering import page, site_of

_NAME = "warpwright_session"
_AGE_S = 30 * 24 * 3600
_LONGEST = 3800
"""Characters of a cookie that every browser keeps."""
_OPEN = ("/sign-in", "/assets/")
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")


class SealedTokens:
    """Turns tokens into cookies and back; the key is kept in the home, so that they outlive the server."""

    def __init__(self, key_file: Path) -> None:
        """Read the key when it is first needed; it is made where there is none."""
        self._file = key_file
        self._box: Fernet | None = None

    def seal(self, token: str) -> str:
        """Return a cookie's value for a token."""
        return self._opened().encrypt(token.encode()).decode()

    def read(self, sealed: str) -> str | None:
        """Return the token of a cookie; None where it is too old, or not of this server."""
        try:
            return self._opened().decrypt(sealed, ttl=_AGE_S).decode()
        except (InvalidToken, UnicodeError):
            return None

    def _opened(self) -> Fernet:
        if self._box is None:
            self._box = Fernet(_key(self._file))
        return self._box


def _key(file: Path) -> bytes:
    """Return what a file holds; of several processes that would make it, one does."""
    if not file.exists():
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=".ui-key")  # its owner's alone
        with os.fdopen(descriptor, "wb") as made:
            made.write(Fernet.generate_key())
        try:
            os.link(temporary, file)
        except FileExistsError:
            pass
        finally:
            Path(temporary).unlink()
    return file.read_bytes()


class CookieAsToken:
    """ASGI middleware that lets a cookie stand for the header by which other callers say who they are."""

    def __init__(self, app: ASGIApp, sealed: SealedTokens) -> None:
        """Wrap an application."""
        self._app = app
        self._sealed = sealed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        cookie = HTTPConnection(scope).cookies.get(_NAME)
        if cookie is not None and "authorization" not in Headers(scope=scope):
            token = await asyncio.to_thread(self._sealed.read, cookie)
            if token is not None:
                added = (b"authorization", f"Bearer {token}".encode())
                scope = {**scope, "headers": [*scope["headers"], added]}
        await self._app(scope, receive, send)


class SignedInOnly:
    """ASGI middleware that sends those whom nobody knows to where they can sign in."""

    def __init__(self, app: ASGIApp, site: WebSite) -> None:
        """Wrap an application."""
        self._app = app
        self._scopes = set(site.scopes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        token = get_access_token()
        known = token is not None and self._scopes <= set(token.scopes)
        if known or scope["path"].startswith(_OPEN):
            await self._app(scope, receive, send)
        elif scope["path"].endswith("/changes"):
            await PlainTextResponse("sign in first", 401)(scope, receive, send)
        else:
            back = scope["path"] if scope["method"] == "GET" else "/"
            await RedirectResponse(f"/sign-in?to={quote(back)}", 303)(scope, receive, send)


async def sign_in_page(request: Request) -> Response:
    """Ask for a token."""
    return page(request, "sign_in.html", to=_own(request.query_params.get("to", "/")), said="")


async def sign_in(request: Request) -> Response:
    """Take a token, if it is one."""
    form, site = await read_form(request), site_of(request)
    token, to = form.get("token", "").strip(), _own(form.get("to", "/"))
    assert site.callers is not None, "there is nothing to sign in to where nobody is asked"
    conn = HTTPConnection({"type": "http", "headers": [(b"authorization", f"Bearer {token}".encode())]})
    known = await BearerAuthBackend(site.callers).authenticate(conn) if token.isascii() else None
    if known is None or not set(site.scopes) <= set(known[0].scopes):
        said = "That is no token that this server takes."
        return page(request, "sign_in.html", status=401, to=to, said=said)
    sealed: SealedTokens = request.app.state.sealed
    cookie = await asyncio.to_thread(sealed.seal, token)
    if len(cookie) > _LONGEST:
        said = "That token is too long for a browser's cookie."
        return page(request, "sign_in.html", status=401, to=to, said=said)
    answer = RedirectResponse(to, 303)
    answer.set_cookie(_NAME, cookie, max_age=_AGE_S, httponly=True, samesite="strict", secure=site.secure)
    return answer


async def sign_out(request: Request) -> Response:
    """Forget the token."""
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(_NAME, httponly=True, samesite="strict", secure=site_of(request).secure)
    return answer


def _own(path: str) -> str:
    return path if _OWN_PATH.fullmatch(path) else "/"
