"""This process's connection to a cluster: one at a time, over Ray's client, with a token."""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

from sandbox.errors import MissingDependencyError, UsageError, WorkerDiedError
from tools.cluster.cluster_answer import last_line
from tools.cluster.local_ray import LocalRay

LOCAL = "local-ray"
"""What stands for a Ray of this machine's own."""
_SCHEME = "ray://"
_START_S = 300.0
_CONNECT_S = 10.0
_TRIES = 3
_HEADS = 2
"""Of a Ray of this machine's own: one that ends at once found a port taken that was free, and the next has others."""


def checked(workers: str) -> str:
    """Return where kernels are judged.

    Raises:
        UsageError: It is no address of a cluster.
    """
    if workers == LOCAL or workers.startswith(_SCHEME):
        return workers
    raise UsageError(f"{workers!r} names no workers: {LOCAL}, or a cluster as ray://HOST:10001, was expected")


class ClusterLink:
    """A connection, and the Ray of this machine's own behind it where that was asked for."""

    def __init__(self, workers: str, cpus: int | None = None) -> None:
        """Connect to nothing yet.

        Args:
            workers: `ray://HOST:PORT`, or `local-ray`.
            cpus: Of a Ray of this machine's own; None for all.
        """
        self.workers = workers
        self.users = 0
        self._cpus = cpus
        self._local: LocalRay | None = None
        self._desk: Any = None
        self._gone = False
        self._mending = threading.Lock()

    def open(self) -> None:
        """Connect, which takes some seconds.

        Raises:
            UsageError: The cluster asks for no token, or not for this one.
            MissingDependencyError: Ray is not installed, or nothing answers there.
        """
        _require_ray()
        for left in reversed(range(_HEADS if self.workers == LOCAL else 1)):
            try:
                self._begin()
            except BaseException as error:
                ended = self._local is not None and self._local.ended
                self.close()
                if not (left and ended and isinstance(error, MissingDependencyError)):
                    raise
            else:
                return

    def _begin(self) -> None:
        if self.workers == LOCAL:
            self._local = LocalRay(self._cpus)
            os.environ["RAY_AUTH_TOKEN_PATH"] = str(self._local.token_path)
            os.environ.pop("RAY_AUTH_TOKEN", None)
        self._connect()

    @property
    def address(self) -> str:
        """Of the cluster's head, for Ray's client."""
        return self.workers if self._local is None else self._local.address

    @property
    def folder(self) -> Path | None:
        """Where a Ray of this machine's own keeps what it writes."""
        return None if self._local is None else self._local.folder

    def _connect(self) -> None:
        from ray.exceptions import RayError

        from tools.cluster.cluster_door import try_door

        address, local = self.address, self._local
        if local is None:
            try_door(address, within_s=_CONNECT_S)
        else:
            try_door(address, within_s=_START_S, ended=lambda: local.ended)
        try:
            _connect_client(address)
            from tools.cluster.actors import desk_actor

            self._desk = desk_actor()
        except (ConnectionError, RuntimeError, RayError) as error:
            raise MissingDependencyError(
                f"the cluster at {address} cannot be used: {last_line(error)}"
            ) from error

    def _desk_there(self) -> Any:
        """Return the desk; where the connection was gone, of whatever head is there by now."""
        with self._mending:
            if self._gone:
                self.close()
                self.open()
                self._gone = False
            return self._desk

    async def ask(self, method: str, *args: str) -> str:
        """Ask the desk. Whoever asks after a connection was gone connects anew.

        Raises:
            WorkerDiedError: It gave no answer: the cluster, its head or the connection is gone.
            UsageError: The cluster that is there now asks for no token, or not for this one.
        """
        from ray.exceptions import RayError

        call: Any = None
        try:
            desk = await asyncio.to_thread(self._desk_there)
            call = await asyncio.to_thread(getattr(desk, method).remote, *args)
            answer = asyncio.wrap_future(call.future())
            answer.add_done_callback(lambda done: done.cancelled() or done.exception())
            return await asyncio.shield(answer)  # Ray's client takes no future that somebody else cancelled
        except (ConnectionError, RuntimeError, RayError, MissingDependencyError) as error:
            self._gone = self._gone or isinstance(error, ConnectionError) or not _connected()
            raise WorkerDiedError(
                f"the cluster at {self.workers} gave no answer: {last_line(error)}"
            ) from error
        except asyncio.CancelledError:
            if call is not None:
                await asyncio.to_thread(_require_ray().cancel, call)
            raise

    def close(self) -> None:
        """Disconnect, and end what was started here."""
        _require_ray().shutdown()
        if self._local is not None:
            self._local.close()


def _connect_client(address: str) -> None:
    """Connect; the head starts a process for each client, and on a busy machine that is not always there in time."""
    ray = _require_ray()
    for left in reversed(range(_TRIES)):
        try:
            ray.init(address, namespace=_namespace(), log_to_driver=False, logging_level=logging.CRITICAL)
        except ConnectionError:
            ray.shutdown()
            if not left:
                raise
        else:
            return


def _connected() -> bool:
    """Whether this process still has a connection."""
    client: Any = importlib.import_module("ray.util.client").ray
    return bool(client.is_connected())


def _namespace() -> str:
    """Where this version's desk and judges are: another version's speak otherwise."""
    return f"warpwright-{importlib.metadata.version('warpwright')}"


def _require_ray() -> Any:
    """Return Ray, after having said how this process is known to clusters, which Ray reads when it is imported.

    Raises:
        UsageError: The environment turns tokens off.
        MissingDependencyError: Ray is not installed.
    """
    if "ray" in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        raise UsageError(
            "Ray was imported before it was known that tokens are asked for: set RAY_AUTH_MODE=token"
        )
    if os.environ.setdefault("RAY_AUTH_MODE", "token").lower() != "token":
        raise UsageError(
            "RAY_AUTH_MODE turns tokens off, and kernels are judged on clusters that ask for one alone"
        )
    # Else the folder in which `uv run` started a search would be sent to every node.
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    try:
        importlib.import_module("grpc")  # which the core of Ray does without
        import ray
    except ImportError as error:
        raise MissingDependencyError(f"{error}: pip install 'warpwright[ray]'") from error
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # what matters is raised
    return ray


_links: dict[str, ClusterLink] = {}
_joining = threading.Lock()


def join(workers: str, cpus: int | None = None) -> ClusterLink:
    """Return this process's connection to a cluster, open; whoever joined leaves it again. Takes some seconds.

    Raises:
        UsageError: That is no address, this process is connected to another cluster, or the token is not taken.
        MissingDependencyError: Ray is not installed, or nothing answers there.
    """
    with _joining:
        link = _links.get(workers)
        if link is None:
            if other := next(iter(_links), None):
                raise UsageError(
                    f"this process has its kernels judged at {other}; {workers} needs one of its own"
                )
            link = ClusterLink(workers, cpus)
            link.open()
            _links[workers] = link
        link.users += 1
        return link


def leave(link: ClusterLink) -> None:
    """Disconnect, once all who joined have left."""
    with _joining:
        link.users -= 1
        if not link.users:
            _links.pop(link.workers, None)
            link.close()
