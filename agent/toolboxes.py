"""Opens what judges kernels: this machine's own tools, those of another over MCP, or a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from agent.home import Home
from sandbox.errors import UsageError
from tools.toolbox import Toolbox

TOKEN = "WARPWRIGHT_TOOLS_TOKEN"
"""The environment variable of the token for another machine's tools."""


def open_toolbox(
    device: str,
    remote: str | None,
    home: Home,
    *,
    workers: str | None = None,
    tenant: str | Callable[[], str] = "",
    also_on: Sequence[str] = (),
) -> Toolbox:
    """Return a toolbox to be entered.

    Args:
        device: A device's name, or `auto`; what another machine judges on is its own choice.
        remote: Address of an MCP server that lends its tools, or of a machine that one is started on over SSH; None
            for this machine's own.
        home: Where compiled programs are kept.
        workers: A Ray cluster whose nodes judge; None for this machine's own pool.
        tenant: Whose turn it is there when a slot comes free, or what tells whose order the one at hand is.
        also_on: Devices on which a kernel must pass as well.

    Raises:
        UsageError: There is no such device, or another machine's tools are asked for with a cluster or more devices.
        MissingDependencyError: This machine lacks the device, the compiler or its headers.
    """
    if remote is not None:
        if workers is not None or also_on:
            raise UsageError(
                "another machine's tools judge on one device of theirs, and on no cluster of ours"
            )
        if remote.startswith("ssh://"):
            from tools.mcp.ssh_toolbox import SshToolbox

            return SshToolbox(remote)
        from tools.mcp.remote_toolbox import RemoteToolbox

        return RemoteToolbox(remote, os.environ.get(TOKEN))
    first, *others = (_opened(name, home, workers, tenant) for name in (device, *also_on))
    if not others:
        return first
    from tools.several_devices import SeveralDevices

    return SeveralDevices(first, others)


def _opened(device: str, home: Home, workers: str | None, tenant: str | Callable[[], str]) -> Toolbox:
    if workers is not None:
        from tools.cluster.ray_toolbox import RayToolbox

        return RayToolbox(workers, device, cache=home.compile_cache, tenant=tenant)
    from tools.local_toolbox import LocalToolbox

    return LocalToolbox(device, cache=home.compile_cache)
