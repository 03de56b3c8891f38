"""A sum of two vectors."""


def reference(x, y, n):
    return {"z": x + y}
