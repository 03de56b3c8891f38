"""Opens what judges kernels: this machine's own tools, or those of another over MCP."""

from __future__ import annotations

import os

from agent.home import Home
from tools.toolbox import Toolbox

TOKEN = "WARPWRIGHT_TOOLS_TOKEN"
"""The environment variable of the token for another machine's tools."""


def open_toolbox(device: str, remote: str | None, home: Home) -> Toolbox:
    """Return a toolbox to be entered.

    Args:
        device: A device's name, or `auto`; what another machine judges on is its own choice.
        remote: Address of an MCP server that lends its tools, or of a machine that one is started on over SSH; None
            for this machine's own.
        home: Where compiled programs are kept.

    Raises:
        UsageError: There is no such device.
        MissingDependencyError: This machine lacks the device, the compiler or its headers.
    """
    if remote is not None and remote.startswith("ssh://"):
        from tools.mcp.ssh_toolbox import SshToolbox

        return SshToolbox(remote)
    if remote is not None:
        from tools.mcp.remote_toolbox import RemoteToolbox

        return RemoteToolbox(remote, os.environ.get(TOKEN))
    from tools.local_toolbox import LocalToolbox

    return LocalToolbox(device, cache=home.compile_cache)
