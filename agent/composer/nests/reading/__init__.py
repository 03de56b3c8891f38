"""Reads a reference: its syntax is followed on symbolic arrays."""
