"""Measurements of chromacord itself: speed, memory and long runs. Run with `python -m benchmarks`."""
