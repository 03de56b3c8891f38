"""The pages as one application: routes, and what every request passes on its way to them."""

from __future__ import annotations

from http import HTTPStatus

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from agent.mcp.access.beside import Pages, WebSite
from agent.mcp.access.rates import RateLimits
from agent.ui import runs, signing_in, tasks
from agent.ui.guarding import OwnPagesOnly
from agent.ui.rendering import assets, may_create, may_search, page
from sandbox.errors import UsageError, WarpwrightError

_FOREVER = {"cache-control": "public, max-age=31536000, immutable"}
_PATHS = frozenset(
    (
        "",
        "runs",
        "changes",
        "compare",
        "tasks",
        "draft",
        "jobs",
        "sign-in",
        "sign-out",
        "assets",
    )
)


class UserInterface:
    """The pages of one server."""

    def __init__(self, app: Starlette) -> None:
        """Take the application that answers."""
        self._app = app

    def answers(self, path: str) -> bool:
        """Say whether a path is one of the pages'."""
        return path.split("/")[1] in _PATHS if path.startswith("/") else False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)


def user_interface(site: WebSite) -> Pages:
    """Return the pages of a site, as far as it offers what they do."""
    signing = signing_in.SealedTokens(site.home.page_key)
    app = Starlette(
        routes=[*_routes(site), *_changing_routes(site)],
        middleware=[Middleware(OwnPagesOnly, site=site), *_callers(site, signing)],
        exception_handlers={WarpwrightError: _refused, HTTPException: _missing},
    )
    app.state.site, app.state.sealed = site, signing
    return UserInterface(app)


def _routes(site: WebSite) -> list[Route]:
    return [
        Route("/", runs.all_runs),
        Route("/changes", runs.all_runs_changes),
        Route("/runs/{run}", runs.one_run),
        Route("/runs/{run}/changes", runs.one_run_changes),
        Route("/runs/{run}/report.{form}", runs.report),
        Route("/runs/{run}/best.cu", runs.best_kernel),
        Route("/compare", runs.compare),
        Route("/tasks", tasks.all_tasks),
        Route("/tasks/{task}", tasks.one_task),
        Route("/assets/{name}", _asset),
    ]


def _changing_routes(site: WebSite) -> list[Route]:
    """Return the routes that change something, as far as that is offered."""
    found: list[Route] = []
    if may_search(site.offer):
        found += [
            Route("/runs", runs.start, methods=["POST"]),
            Route("/runs/{run}/cancel", runs.cancel, methods=["POST"]),
            Route("/runs/{run}/resume", runs.resume, methods=["POST"]),
        ]
    if may_create(site.offer):
        found += [
            Route("/draft", tasks.draft_page),
            Route("/draft", tasks.propose_draft, methods=["POST"]),
            Route("/tasks", tasks.create, methods=["POST"]),
            Route("/jobs/{job}", tasks.job_page),
            Route("/jobs/{job}/changes", tasks.job_changes),
            Route("/jobs/{job}/cancel", tasks.cancel_job, methods=["POST"]),
        ]
    if site.callers is not None:
        found += [
            Route("/sign-in", signing_in.sign_in_page),
            Route("/sign-in", signing_in.sign_in, methods=["POST"]),
            Route("/sign-out", signing_in.sign_out, methods=["POST"]),
        ]
    return found


def _callers(site: WebSite, sealed: signing_in.SealedTokens) -> list[Middleware]:
    """Return what finds out who calls, and keeps each within its limits."""
    limits = Middleware(
        RateLimits,
        callers=site.callers,
        everyone=site.everyone,
        streams=lambda path: path.endswith("/changes"),
    )
    if site.callers is None:
        return [limits]
    return [
        Middleware(signing_in.CookieAsToken, sealed=sealed),
        limits,
        Middleware(AuthenticationMiddleware, backend=BearerAuthBackend(site.callers)),
        Middleware(AuthContextMiddleware),
        Middleware(signing_in.SignedInOnly, site=site),
    ]


async def _asset(request: Request) -> Response:
    """Hand out a file that pages load."""
    found = assets().get(request.path_params["name"])
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return Response(found[0], media_type=found[1], headers=_FOREVER)


async def _refused(request: Request, error: Exception) -> Response:
    """Say what cannot be done, and why."""
    status = HTTPStatus.NOT_FOUND if request.method == "GET" else HTTPStatus.CONFLICT
    if not isinstance(error, UsageError):
        status = HTTPStatus.SERVICE_UNAVAILABLE
    return page(request, "problem.html", status=status, said=str(error))


async def _missing(request: Request, error: Exception) -> Response:
    """Say that there is no such page."""
    assert isinstance(error, HTTPException), "registered for these alone"
    said = HTTPStatus(error.status_code).phrase
    return page(request, "problem.html", status=error.status_code, said=f"{said}.")
