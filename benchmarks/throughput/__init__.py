"""The kernels that `benchmarks.simulator` runs, once for NVRTC and once for Numba."""
