"""Suites of tasks: searches for all of them, what is kept of them, and what they add up to."""
