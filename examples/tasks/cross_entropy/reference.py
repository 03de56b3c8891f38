"""Cross entropy of softmax and labels."""

import numpy as np


def reference(logits, labels, rows, classes):
    """Return the mean over the rows of the negative log-probability of the label, as one element."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return {"loss": np.mean(log_sum - shifted[np.arange(rows), labels]).reshape(1)}
