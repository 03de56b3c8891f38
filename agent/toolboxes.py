"""Opens what judges kernels: this machine's own tools, those of another over MCP, or a Ray cluster."""

from __future__ import annotations

import os

from agent.home import Home
from sandbox.errors import UsageError
from tools.toolbox import Toolbox

TOKEN = "WARPWRIGHT_TOOLS_TOKEN"
"""The environment variable of the token for another machine's tools."""


def open_toolbox(
    device: str, remote: str | None, home: Home, *, workers: str | None = None, tenant: str = ""
) -> Toolbox:
    """Return a toolbox to be entered.

    Args:
        device: A device's name, or `auto`; what another machine judges on is its own choice.
        remote: Address of an MCP server that lends its tools; None for this machine's own.
        home: Where compiled programs are kept.
        workers: A Ray cluster whose nodes judge; None for this machine's own pool.
        tenant: Whose turn it is there when a slot comes free.

    Raises:
        UsageError: There is no such device, or a cluster and another machine's tools are asked for at once.
        MissingDependencyError: This machine lacks the device, the compiler or its headers.
    """
    if workers is not None:
        if remote is not None:
            raise UsageError("either another machine's tools judge, or the workers of a cluster")
        from tools.cluster.ray_toolbox import RayToolbox

        return RayToolbox(workers, device, cache=home.compile_cache, tenant=tenant)
    if remote is not None:
        from tools.mcp.remote_toolbox import RemoteToolbox

        return RemoteToolbox(remote, os.environ.get(TOKEN))
    from tools.local_toolbox import LocalToolbox

    return LocalToolbox(device, cache=home.compile_cache)
