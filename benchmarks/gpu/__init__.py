"""All that a machine with a GPU can tell of warpwright, by one command; see docs/gpu.md."""
