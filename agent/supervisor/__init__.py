"""The supervisor: one process a home that does its jobs, so that they outlive whoever asked for them."""
