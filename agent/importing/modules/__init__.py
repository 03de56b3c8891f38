"""PyTorch functions and modules of a user: all of one, or the part of it that one kernel may replace."""
