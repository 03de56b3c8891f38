"""Element-wise sum."""


def reference(x, y, n):
    """Return x + y."""
    return {"out": x + y}
