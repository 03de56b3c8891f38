"""Does the estimate rank well-known variants of one kernel as GPUs do? The kernels, and a command to ask."""
