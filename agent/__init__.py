"""The search: graph, models, strategies, run store, command line, and the MCP server."""
