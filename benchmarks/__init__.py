"""Measurements of the claims in the documentation: `python -m benchmarks`."""
