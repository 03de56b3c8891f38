"""Valid 2-D convolution, as neural networks have it: the filter is not flipped."""

import numpy as np


def reference(image, weights, height, width, side):
    """Return the sum of products of the filter with the window below each of its places."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (side, side))
    return {"y": np.einsum("ijkl,kl->ij", windows, weights)}
