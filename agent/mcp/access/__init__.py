"""Who may call the server over HTTP, and how much."""
