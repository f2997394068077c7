"""What measures us: speed, memory and long runs. `python -m benchmarks` runs it."""
