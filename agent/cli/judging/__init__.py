"""Commands that judge kernel files: `check` and `profile`, once, again as files change, and in CI."""
