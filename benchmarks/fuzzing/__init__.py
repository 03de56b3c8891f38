"""Every parser of what strangers write, fuzzed by coverage; `python -m benchmarks.fuzzing` runs it."""
