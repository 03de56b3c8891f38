"""From templates to answers; whatever is sent names no folder of this machine."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup
from mcp.server.auth.middleware.auth_context import get_access_token
from starlette.requests import Request
from starlette.responses import HTMLResponse

from agent.mcp.access.beside import WebSite
from agent.mcp.access.discretion import Discretion
from agent.mcp.offer import Offer
from agent.report.environment import page_environment, style_sheet

_KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain"}


def site_of(request: Request) -> WebSite:
    """Return the site that a request came to."""
    site: WebSite = request.app.state.site
    return site


def may_search(offer: Offer) -> bool:
    """Say whether searches may be started and stopped here."""
    return "search" in offer.sets and not offer.read_only


def may_create(offer: Offer) -> bool:
    """Say whether tasks may be made here."""
    return "tasks" in offer.sets and not offer.read_only


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page."""
    return HTMLResponse(render(request, template, **values), status)


def render(request: Request, template: str, **values: Any) -> str:
    """Return a template's text, filled in for the caller of a request."""
    site, token = site_of(request), get_access_token()
    text = (
        page_environment("agent.ui")
        .get_template(template)
        .render(
            asset=_asset_path,
            person=None if token is None else token.client_id,
            guarded=site.callers is not None,
            may_search=may_search(site.offer),
            may_create=may_create(site.offer),
            path=request.url.path,
            **values,
        )
    )
    return discreet(request, text)


def discreet(request: Request, text: str) -> str:
    """Return a text with names in the place of this machine's folders, where callers may be elsewhere."""
    site = site_of(request)
    return text if site.offer.tells_paths else Discretion(site.home).without_paths(text)


@cache
def assets() -> dict[str, tuple[bytes, str]]:
    """Return what pages load beside themselves: content and type by name."""
    folder = files("agent.ui") / "assets"
    found = {one.name: one.read_bytes() for one in folder.iterdir()}
    found["page.css"] = style_sheet().encode() + found["page.css"]
    # One file: htmx starts as soon as it has run, and then knows no extension that is still on its way.
    found["htmx.js"] = b"\n".join(found.pop(name) for name in ("htmx.min.js", "hx-sse.min.js"))
    return {name: (content, _KINDS[name[name.rindex(".") :]]) for name, content in found.items()}


@cache
def _asset_path(name: str) -> Markup:
    digest = hashlib.sha256(assets()[name][0]).hexdigest()[:12]
    return Markup("/assets/{}?v={}").format(name, digest)
