"""Kernels of their own form: scans, histograms, systems of equations, sums of products by tiles."""
