"""Matrix transpose."""


def reference(x, rows, cols):
    """Return x with rows and columns exchanged."""
    return {"y": x.T}
