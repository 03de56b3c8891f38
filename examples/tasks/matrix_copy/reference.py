"""Matrix copy."""


def reference(x, rows, cols):
    """Return the same elements."""
    return {"y": x.copy()}
