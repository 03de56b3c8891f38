"""The index of the largest element of every row, the lowest of equals."""


def reference(x, rows, cols):
    return {"at": x.argmax(axis=1)}
