"""Tasks from what computes elsewhere: PyTorch functions and modules, problems in KernelBench's format."""
