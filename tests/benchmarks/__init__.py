"""The benchmarks run, at a scale that measures nothing."""
