"""Kernel times that others published, and how far estimates of such kernels are from them."""
