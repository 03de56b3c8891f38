"""The search over MCP, and the server that joins it with the kernel tools."""
