"""Kernels judged on a Ray cluster: a toolbox here, a desk there that hands orders to judges, a judge per slot."""
