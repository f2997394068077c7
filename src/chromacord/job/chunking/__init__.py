"""Clips rendered in chunks."""
