"""Problems that others have, in their own formats, as tasks: kernels, PyTorch functions and modules, benchmarks."""
