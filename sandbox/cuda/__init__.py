"""The worker's side of real GPUs: launching through PyCUDA and the CUDA driver, timing by events.

Needs Python, NumPy and PyCUDA only, so that it runs from the source tree on a machine without the rest.
"""
