"""Measurements: of results, and of what they cost."""
