"""Problems in the formats of benchmarks: KernelBench, flashinfer-bench, SOL-ExecBench."""
