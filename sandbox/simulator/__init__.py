"""Runs the PTX of CUDA kernels on the CPU, in NumPy, with every access checked."""
