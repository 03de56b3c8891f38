"""Counts and estimates under Nsight Compute's names."""
