"""The benchmarks: what is claimed about speed and size, measured side by side in one run."""
