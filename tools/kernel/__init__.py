"""Kernel files: read, planned for given sizes, held against the compiled code."""
