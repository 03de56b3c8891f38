"""What can be done to one kernel: tasks, kernel files, compile, test, profile; and these over MCP."""
