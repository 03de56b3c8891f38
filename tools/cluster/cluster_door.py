"""Whether a cluster asks for a token, and takes this one: seen before anything is sent that runs there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import grpc
from ray.core.generated import ray_client_pb2 as messages
from ray.core.generated import ray_client_pb2_grpc as services

from sandbox.errors import MissingDependencyError, UsageError

_ASK_S = 5.0
_AGAIN_S = 0.2
_SOURCES = "RAY_AUTH_TOKEN, the file that RAY_AUTH_TOKEN_PATH names, or ~/.ray/auth_token"


def token() -> str:
    """Return the token of this process, from where Ray's documentation says that it lies.

    Raises:
        UsageError: There is none.
    """
    if told := os.environ.get("RAY_AUTH_TOKEN"):
        return told.strip()
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"no token for the cluster: {_SOURCES} holds it") from None


def try_door(address: str, *, within_s: float, ended: Callable[[], bool] = lambda: False) -> None:
    """Return where the head of a cluster lets this process in, and nobody without a token.

    Args:
        address: `ray://HOST:PORT`.
        within_s: For so long it may be silent.
        ended: Whether it is known that it will not answer any more.

    Raises:
        UsageError: It asks for no token, or for another one.
        MissingDependencyError: Nothing answers there.
    """
    if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
        return  # certificates say who may
    known = token()
    with grpc.insecure_channel(urlsplit(address).netloc) as channel:
        head = cast("Any", services).RayletDriverStub(channel)
        if _first_answer(head, address, within_s, ended) is not grpc.StatusCode.UNAUTHENTICATED:
            raise UsageError(
                f"the cluster at {address} asks for no token, so whoever reaches it runs programs there; start it"
                " with RAY_AUTH_MODE=token"
            )
        said = _answer(head, known)
        if said is grpc.StatusCode.UNAUTHENTICATED:
            raise UsageError(
                f"the cluster at {address} does not know this token; {_SOURCES} is to hold its own"
            )
        if said is not grpc.StatusCode.OK:
            raise MissingDependencyError(f"the cluster at {address} gives no answer: {said.name.lower()}")


def _first_answer(head: Any, address: str, within_s: float, ended: Callable[[], bool]) -> grpc.StatusCode:
    until = time.monotonic() + within_s
    while (said := _answer(head, None)) is grpc.StatusCode.UNAVAILABLE:
        if time.monotonic() > until or ended():
            raise MissingDependencyError(f"no cluster answers at {address}")
        time.sleep(_AGAIN_S)
    return said


def _answer(head: Any, known: str | None) -> grpc.StatusCode:
    of = cast("Any", messages)
    asked = of.ClusterInfoRequest(type=of.ClusterInfoType.PING)
    shown = () if known is None else (("authorization", f"Bearer {known}"),)
    try:
        head.ClusterInfo(asked, timeout=_ASK_S, metadata=shown)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK
