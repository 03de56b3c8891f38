"""The kernel tools over MCP: list and read tasks; compile, test and profile a kernel."""

from tools.mcp.registration import judge_tools, task_tools
from tools.mcp.services import HasToolbox

__all__ = ["HasToolbox", "judge_tools", "task_tools"]
