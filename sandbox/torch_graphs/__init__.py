"""PyTorch functions and modules as graphs: exported in a confined worker, and sent as data."""
