"""Arithmetic that NumPy does not give exactly: rounding, matrix elements and fragments."""
