"""Reversal of a vector."""


def reference(x, n):
    """Return the elements from last to first; the middle one of an odd number stays."""
    return {"x": x[::-1]}
