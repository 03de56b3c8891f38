"""Running a task's reference.py: what a kernel should have computed, and how exactly it can be known."""
