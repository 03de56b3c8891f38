"""Whether a kernel's results are right: the error bound, the comparison, the test stage."""
