"""What `doctor --deep` tries: a kernel judged from its text to its verdict, and what untrusted code may not do."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from agent.home import home
from sandbox.errors import UsageError, WarpwrightError
from sandbox.facts import Fact
from sandbox.isolation.choose import choose_isolation
from sandbox.reference.service import References
from sandbox.verdict import Verdict
from tools.local_toolbox import LocalToolbox
from tools.tasks.folder import find
from tools.toolbox import TestOrder

_TASK = "vector_add"
_ESCAPES = """\
import socket
def reference(path):
    done = 0
    try:
        with open(bytes(int(byte) for byte in path).decode()) as file:
            done += len(file.read()) > 0
    except OSError:
        pass
    try:
        socket.create_connection(("127.0.0.1", 9), 1).close()
        done += 1
    except ConnectionRefusedError:
        done += 1
    except OSError:
        pass
    return {"y": done}
"""
"""Reads a file of this machine and reaches its network; what a reference.py does must be able to do neither."""


async def tried() -> list[Fact]:
    """Judge a kernel, and let a reference try to break out; some seconds."""
    return [await _judged(), await _held()]


async def _judged() -> Fact:
    name, start = "kernel judged", time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="warpwright-doctor-") as cache:
            async with LocalToolbox("auto", cache=Path(cache), workers=1) as toolbox:
                task = find(_TASK, home().tasks)
                report = await toolbox.do(TestOrder(task, task.baseline))
                device = toolbox.device
    except (WarpwrightError, OSError) as error:
        return Fact(name, False, "no", str(error))
    said = f"{_TASK} on {device}: {report.verdict}, {time.monotonic() - start:.1f} s"
    return (
        Fact(name, True, said) if report.verdict is Verdict.PASS else Fact(name, False, said, report.message)
    )


async def _held() -> Fact:
    name, isolation = "isolation holds", choose_isolation()
    with tempfile.NamedTemporaryFile("w", prefix="warpwright-secret-", suffix=".txt") as secret:
        secret.write("a secret of this machine")
        secret.flush()
        path = np.frombuffer(secret.name.encode(), np.uint8)
        try:
            async with References(isolation) as references:
                found = await references.expected(_ESCAPES, {"path": path}, {}, {"y": "int64"})
        except UsageError as error:  # it was not even let to import what it wanted
            return Fact(name, True, f"{isolation.name}: {str(error).splitlines()[0][:80]}")
        except (WarpwrightError, OSError) as error:
            return Fact(name, False, "no worker answers", str(error))
    done = int(np.asarray(found.outputs["y"]))
    if done:
        advice = "untrusted code reaches files or the network here; `warpwright doctor` says what confines it better"
        return Fact(name, False, f"{isolation.name}: {done} of 2 attempts succeeded", advice)
    return Fact(name, True, f"{isolation.name}: a file and the network were out of reach")
