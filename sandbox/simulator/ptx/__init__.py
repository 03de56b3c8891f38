"""PTX text to typed syntax: PTX ISA 9.0, the subset that NVRTC emits."""
