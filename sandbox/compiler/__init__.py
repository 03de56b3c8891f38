"""Compiling kernel files: NVRTC in a confined worker, its report, and a cache of what it said."""
