"""The worker's loop: receive a request, answer it, until the parent closes the connection."""

from __future__ import annotations

import gc
import os
import socket
import traceback
from dataclasses import dataclass

from sandbox import codec
from sandbox.wire import BlockingChannel, EndOfStreamError, MessageLimits
from sandbox.worker import limits
from sandbox.worker.messages import CpuAllowance, Failure, FailureKind, Ready
from sandbox.worker.roles import WorkerRole, load_role

_TRACEBACK_CHARACTERS = 8_000
_GARBAGE = 50_000
"""Objects made between two searches for cycles, of which there are few; the default of 700 costs 6 percent more."""


@dataclass(frozen=True)
class Settings:
    """What the parent says on the command line; see `sandbox.isolation.base.python_command`."""

    role: str
    fd: int
    resources: dict[str, list[str]]
    memory_bytes: int
    file_bytes: int
    processes: int | None
    parent: int
    visible: dict[str, list[str]] | None
    filter_calls: dict[str, bool] | None
    gpu: bool


def serve(settings: Settings) -> None:
    """Confine this process, load the role, say so, and answer requests until the connection closes."""
    limits.confine(
        memory_bytes=settings.memory_bytes, file_bytes=settings.file_bytes, processes=settings.processes,
        visible=settings.visible, filter_calls=settings.filter_calls, gpu=settings.gpu,
    )  # fmt: skip
    if limits.orphaned(settings.parent):
        return
    os.set_inheritable(settings.fd, False)
    with socket.socket(fileno=settings.fd) as connection:
        channel = BlockingChannel(connection, MessageLimits())
        role = load_role(settings.role, settings.resources)
        gc.freeze()
        gc.set_threshold(_GARBAGE)
        gc.enable()
        channel.send(codec.to_message(Ready()))
        while _answer(channel, role):
            pass


def _answer(channel: BlockingChannel, role: WorkerRole) -> bool:
    """Answer one request; return whether this worker may be asked again."""
    try:
        message = channel.receive()
    except EndOfStreamError:
        return False
    try:
        call = codec.from_message(message, *role.accepts, CpuAllowance)
        if isinstance(call, CpuAllowance):
            limits.allow(call.cpu_s)
            return True
        reply: object = role.answer(call)
        channel.send(codec.to_message(reply))
    except MemoryError as error:
        reply = Failure(FailureKind.MEMORY, str(error) or "out of memory")
        error.__traceback__ = None  # let go of the frames, and with them of the memory
        channel.send(codec.to_message(reply))
        return False
    except BrokenPipeError:
        return False
    except Exception:  # noqa: BLE001  whatever went wrong must reach the parent as a reply; there it is raised
        text = traceback.format_exc()[-_TRACEBACK_CHARACTERS:]
        channel.send(codec.to_message(Failure(FailureKind.INTERNAL, text)))
    return True
