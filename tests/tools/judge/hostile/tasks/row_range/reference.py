"""Two results of each row."""


def reference(x, rows, cols):
    """Return the minimum and the maximum over the last axis."""
    return {"low": x.min(axis=-1), "high": x.max(axis=-1)}
