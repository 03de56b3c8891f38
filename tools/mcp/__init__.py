"""The kernel tools over MCP: list and read tasks; compile, test and profile a kernel."""

from tools.mcp.registration import HasToolbox, register

__all__ = ["HasToolbox", "register"]
