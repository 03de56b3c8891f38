"""Runs launches: batches, the order of groups of lanes, barriers, calls, printf."""
