"""3-D max pooling with dilated windows."""

import numpy as np


def reference(x, batch, channels, depth, height, width):
    """Return the maximum of 3 x 3 x 3 elements, 3 apart, of windows 2 apart; nothing beyond an edge counts."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1), (1, 1)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7, 7), axis=(2, 3, 4))
    return {"y": windows[:, :, ::2, ::2, ::2, ::3, ::3, ::3].max(axis=(-3, -2, -1))}
