"""A mask."""


def reference(x, n):
    """Return x > 0."""
    return {"above": x > 0}
