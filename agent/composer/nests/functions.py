"""Extents of a task's arguments as polynomials; see `extents`."""

from agent.composer.nests.extents import size_of

__all__ = ["size_of"]
