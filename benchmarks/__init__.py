"""Benchmarks: what the kit costs on top of the work itself, as ratios within one run. Not tests: machines are noisy."""
