"""A vector added in place."""


def reference(a, x, y, n):
    """Return a x + y in place of y."""
    return {"y": a * x + y}
