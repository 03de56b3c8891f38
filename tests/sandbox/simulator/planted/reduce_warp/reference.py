"""The sum of every row: shuffles, then one value a warp."""


def reference(x, rows, cols):
    return {"y": x.sum(axis=1)}
