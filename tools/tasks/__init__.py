"""Tasks: what must be computed. Their folders, their input data, and new ones."""
