"""NVIDIA's own tools beside a GPU: Nsight Compute, compute-sanitizer and nvidia-smi, each in a process of its own."""
