"""The pages in a browser: runs as they happen, what can be done about them, tasks; for the same callers as MCP."""
