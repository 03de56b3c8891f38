"""Writes docs/ptx.md, docs/metrics.md and docs/gpus.md from the code."""
