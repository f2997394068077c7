"""Harmonization methods."""
